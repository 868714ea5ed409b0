"""Checkpoints through spandrel: real architectures with random weights, built here."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact
from spandrel.architectures.SwinIR.__arch.SwinIR import SwinIR

from bench.api import RequestError
from bench.imaging.resize import imresize
from bench.session import build_request, make_config
from methods.spandrel.info import SPANDREL, SpandrelOptions
from methods.spandrel.method import Spandrel

LR = torch.rand(3, 13, 18, generator=torch.Generator().manual_seed(1))


def _network(scale: int = 2, channels: int = 3) -> SRVGGNetCompact:
    torch.manual_seed(scale)
    return SRVGGNetCompact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale).eval()


def _loaded(file: Path, **options) -> Spandrel:
    method = Spandrel(SpandrelOptions(**options))
    method.load(file, torch.device("cpu"), torch.float32)
    return method


@pytest.fixture
def compact(tmp_path) -> Path:
    file = tmp_path / "compact.safetensors"
    save_file(_network().state_dict(), file)
    return file


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "ckpt"])
def test_the_models_own_scale_is_its_output_untouched(tmp_path, suffix):
    network, file = _network(), tmp_path / f"x2.{suffix}"
    if suffix == "safetensors":
        save_file(network.state_dict(), file)
    else:
        torch.save({"params": network.state_dict()}, file)
    result = _loaded(file).upscale(LR, (26, 36), seed=0)
    with torch.inference_mode():
        assert torch.equal(result.image, network(LR[None])[0].clamp(0, 1))
    assert result.stages == ()


@pytest.mark.parametrize("size", [(39, 54), (31, 45), (20, 20), (104, 144)])
def test_another_size_is_matlabs_resize_of_the_output(compact, size):
    result = _loaded(compact).upscale(LR, size, seed=0)
    (stage,) = result.stages
    assert tuple(stage.shape) == (3, 26, 36)
    expected = imresize(stage.permute(1, 2, 0).numpy(), size).transpose(2, 0, 1)
    assert np.abs(result.image.numpy() - expected).max() < 1e-6


def test_two_passes_square_the_scale(compact):
    result = _loaded(compact, passes=2).upscale(LR, (52, 72), seed=0)
    once = _loaded(compact).upscale(LR, (26, 36), seed=0).image
    assert torch.equal(result.image, _loaded(compact).upscale(once, (52, 72), seed=0).image)


def test_tiles_give_the_whole_image(compact):
    lr = torch.rand(3, 70, 90, generator=torch.Generator().manual_seed(2))
    whole = _loaded(compact).upscale(lr, (140, 180), seed=0)
    tiled = _loaded(compact, tile=40).upscale(lr, (140, 180), seed=0)
    assert (whole.tile, tiled.tile) == (None, 40)
    assert float((whole.image - tiled.image).abs().max()) < 1e-5


def test_sizes_that_the_model_cannot_take_are_padded_and_cut(tmp_path):
    """SwinIR needs multiples of its window; a method that forgets it crashes or returns the padded size."""
    torch.manual_seed(0)
    network = SwinIR(
        img_size=16, depths=[2], embed_dim=12, num_heads=[2], window_size=8, upscale=2, upsampler="pixelshuffledirect"
    )
    torch.save(network.state_dict(), tmp_path / "swinir.pth")
    sr = _loaded(tmp_path / "swinir.pth").upscale(LR, (26, 36), seed=0).image
    assert tuple(sr.shape) == (3, 26, 36)


def test_a_gray_model_runs_on_each_channel(tmp_path):
    network, file = _network(channels=1), tmp_path / "gray.pth"
    torch.save(network.state_dict(), file)
    method = _loaded(file)
    sr = method.upscale(LR, (26, 36), seed=0).image
    with torch.inference_mode():
        for channel in range(3):
            assert torch.equal(sr[channel], network(LR[None, channel : channel + 1])[0, 0].clamp(0, 1))
    gray = method.upscale(LR[:1].expand(3, -1, -1), (26, 36), seed=0).image
    assert torch.equal(gray[0], sr[0])
    assert torch.equal(gray[2], sr[0])


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    with (tmp_path / "evil.pth").open("wb") as stream:
        pickle.dump(Evil(), stream)
    torch.save({"params": {"weight": Evil()}}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(RequestError, match=name):
            _loaded(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("suffix", ["pth", "pt", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_damaged_files_are_refused_by_name(tmp_path, suffix, content):
    file = tmp_path / f"bad.{suffix}"
    file.write_bytes(content)
    with pytest.raises(RequestError, match=rf"bad\.{suffix}"):
        _loaded(file)


def test_truncated_checkpoint_is_refused(tmp_path, compact):
    file = tmp_path / "cut.safetensors"
    file.write_bytes(compact.read_bytes()[:-100])
    with pytest.raises(RequestError, match=r"cut\.safetensors"):
        _loaded(file)


def test_unknown_architecture_suffix_and_shape_are_named(tmp_path):
    torch.save({"some.weight": torch.zeros(3), "other.bias": torch.zeros(1)}, tmp_path / "unknown.pth")
    with pytest.raises(RequestError, match=r"unknown\.pth.*2 entries \(some\.weight, other\.bias\)"):
        _loaded(tmp_path / "unknown.pth")
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(RequestError, match=r"model\.onnx: expected \.safetensors"):
        _loaded(tmp_path / "model.onnx")
    state = _network().state_dict()
    state["body.2.weight"] = torch.zeros(8, 4, 3, 3)
    torch.save(state, tmp_path / "shape.pth")
    with pytest.raises(RequestError, match=r"shape\.pth: spandrel cannot build"):
        _loaded(tmp_path / "shape.pth")


def test_without_weights_the_message_says_what_to_give():
    with pytest.raises(RequestError, match="--weights spandrel=FILE"):
        Spandrel().load(None, torch.device("cpu"), torch.float32)
    assert SPANDREL.default_weights is None
    assert SPANDREL.weights_how


def test_a_request_without_weights_is_refused_before_any_work():
    """Catches a run that computes the rows before this one and then ends, and a dry run that promises images."""
    with pytest.raises(RequestError, match=r"spandrel has no weights of its own.*--weights spandrel=FILE"):
        build_request(make_config({"methods": "bicubic,spandrel", "scales": "2"}))


def test_the_librarys_version_is_part_of_the_key():
    assert SPANDREL.fingerprint is not None
    assert SPANDREL.fingerprint(SpandrelOptions(), "baby", 2.0).startswith("spandrel 0.")
