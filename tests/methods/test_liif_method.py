"""LIIF as a method of the harness: sizes, determinism, published checkpoints, damaged weights, the shipped figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.api import RequestError
from methods.blocks.coordinates import clipped_cell
from methods.liif.architecture import LiifArchitecture
from methods.liif.info import LIIF as SPEC
from methods.liif.info import LiifOptions
from methods.liif.method import LIIF, load_network
from methods.liif.network import LIIFNetwork

TINY = LiifArchitecture(blocks=1, width=4, hidden=(8,))


@pytest.fixture
def network() -> LIIFNetwork:
    torch.manual_seed(1)
    return LIIFNetwork(TINY)


@pytest.fixture
def tiny(tmp_path: Path, network: LIIFNetwork) -> Path:
    return _write(tmp_path / "tiny.safetensors", network.state_dict())


def _write(path: Path, tensors: dict[str, torch.Tensor], **said) -> Path:
    about = {"format": 1, "method": "liif", "architecture": TINY.model_dump(mode="json")} | said
    save_file(dict(tensors), path, {"assr-bench": json.dumps(about)})
    return path


def _loaded(path: Path, **options) -> LIIF:
    method = LIIF(LiifOptions(**options))
    method.load(path, torch.device("cpu"), torch.float32)
    return method


def test_parameter_counts_are_the_papers_and_the_lite_ones():
    assert sum(p.numel() for p in LIIFNetwork().parameters()) == 1_567_299  # EDSR-baseline + MLP 4 x 256: 1.57 M
    lite = LiifArchitecture(blocks=6, width=32, hidden=(128, 128, 128))
    assert sum(p.numel() for p in LIIFNetwork(lite).parameters()) == SPEC.info.parameters


@pytest.mark.parametrize("size", [(9, 11), (31, 8), (10, 47), (5, 7), (3, 3), (1, 1)])
def test_any_size_comes_out_exactly_also_anisotropic_and_smaller(tiny, size):
    result = _loaded(tiny).upscale(torch.rand(3, 5, 7), size, seed=0)
    assert result.image.shape == (3, *size)
    assert result.image.dtype == torch.float32


def test_seed_and_order_of_calls_do_not_matter(tiny):
    method, lr = _loaded(tiny), torch.rand(3, 6, 6)
    first = method.upscale(lr, (13, 17), seed=0).image
    method.upscale(torch.rand(3, 9, 4), (20, 20), seed=5)
    assert torch.equal(method.upscale(lr, (13, 17), seed=99).image, first)


def test_input_and_output_are_normalised(tiny, network):
    lr = torch.rand(3, 6, 6)
    inside = network.upsample((lr[None] - 0.5) / 0.5, (12, 12))[0]
    assert torch.allclose(_loaded(tiny).upscale(lr, (12, 12), seed=0).image, inside * 0.5 + 0.5, atol=1e-6)


def test_chunk_option_bounds_the_queries_and_keeps_the_result(tiny):
    lr = torch.rand(3, 6, 6)
    whole = _loaded(tiny).upscale(lr, (20, 20), seed=0).image
    assert torch.allclose(_loaded(tiny, chunk=7).upscale(lr, (20, 20), seed=0).image, whole, atol=1e-6)


def test_cell_clip_leaves_trained_scales_alone_and_stops_beyond():
    device = torch.device("cpu")
    assert torch.equal(
        clipped_cell((30, 80), (10, 20), 4.0, device=device), clipped_cell((30, 80), (10, 20), None, device=device)
    )
    assert clipped_cell((30, 800), (10, 20), 4.0, device=device).tolist() == pytest.approx([2 / 30, 2 / 80])


def test_published_checkpoint_layout_loads(tmp_path):
    """The authors' files: {"model": {"sd": ...}}, the MLP at the top, two mean shifts that are never applied."""
    network = LIIFNetwork()
    theirs = {name.replace("decoder.imnet.", "imnet."): tensor for name, tensor in network.state_dict().items()}
    for shift in ("sub_mean", "add_mean"):
        theirs |= {f"encoder.{shift}.weight": torch.eye(3)[..., None, None], f"encoder.{shift}.bias": torch.zeros(3)}
    path = tmp_path / "edsr-baseline-liif.pth"
    torch.save({"model": {"name": "liif", "args": {"encoder_spec": {}}, "sd": theirs}, "epoch": 1000}, path)
    loaded = load_network(path).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in network.state_dict().items())


def test_wrong_shape_names_file_tensor_and_both_shapes(tmp_path, network):
    tensors = network.state_dict() | {"encoder.head.0.weight": torch.zeros(4, 3, 5, 5)}
    path = _write(tmp_path / "bad.safetensors", tensors)
    with pytest.raises(
        RequestError, match=r"bad\.safetensors.*encoder\.head\.0\.weight.*\(4, 3, 5, 5\).*\(4, 3, 3, 3\)"
    ):
        load_network(path)


def test_missing_and_unknown_tensors_are_named(tmp_path, network):
    tensors = dict(network.state_dict())
    tensors.pop("encoder.head.0.bias")
    with pytest.raises(RequestError, match=r"encoder\.head\.0\.bias.*missing"):
        load_network(_write(tmp_path / "a.safetensors", tensors))
    with pytest.raises(RequestError, match="unknown tensor 'stray'"):
        load_network(_write(tmp_path / "b.safetensors", network.state_dict() | {"stray": torch.zeros(1)}))


def test_values_that_are_not_finite_are_refused(tmp_path, network):
    tensors = network.state_dict() | {"encoder.head.0.bias": torch.full((4,), float("nan"))}
    with pytest.raises(RequestError, match=r"encoder\.head\.0\.bias.*not finite"):
        load_network(_write(tmp_path / "nan.safetensors", tensors))


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x80\x04K\x01."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_files_are_named_whatever_they_hold(tmp_path, content, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(RequestError, match="damaged"):
        load_network(path)


def test_truncated_safetensors_is_refused(tiny):
    tiny.write_bytes(tiny.read_bytes()[:-40])
    with pytest.raises(RequestError, match=r"tiny\.safetensors is damaged"):
        load_network(tiny)


class _Bomb:
    def __reduce__(self):
        return (Path.write_text, (Path("exploded"), "code ran"))


def test_pickled_code_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": _Bomb()}, path)
    with pytest.raises(RequestError, match=r"bomb\.pth"):
        load_network(path)
    assert not (tmp_path / "exploded").exists()


def test_weights_of_another_method_or_an_unknown_architecture_are_refused(tmp_path, network):
    with pytest.raises(RequestError, match="'lte', expected 'liif'"):
        load_network(_write(tmp_path / "a.safetensors", network.state_dict(), method="lte"))
    with pytest.raises(RequestError, match="transformer"):
        load_network(_write(tmp_path / "b.safetensors", network.state_dict(), architecture={"transformer": 1}))


def test_metadata_that_is_not_ours_is_refused(tmp_path, network):
    path = tmp_path / "odd.safetensors"
    save_file(dict(network.state_dict()), path, {"assr-bench": "[1, 2]"})
    with pytest.raises(RequestError, match="not a JSON object"):
        load_network(path)


def test_no_weights_says_how_to_get_them():
    with pytest.raises(RequestError, match="--weights liif=PATH"):
        LIIF().load(None, torch.device("cpu"), torch.float32)


def test_reading_the_spec_does_not_import_torch():
    code = "import sys, methods.liif.info; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_card_counts_the_parameters():
    path = SPEC.weights["lite"]
    card = json.loads(path.with_suffix(".json").read_text())
    assert sum(p.numel() for p in load_network(path).parameters()) == card["parameters"] == SPEC.info.parameters


def test_shipped_weights_draw_a_flat_image_flat():
    lr = torch.tensor([0.2, 0.5, 0.8])[:, None, None].expand(3, 24, 24)
    image = _loaded(SPEC.weights["lite"]).upscale(lr, (60, 60), seed=0).image
    inner = image[:, 15:-15, 15:-15]
    assert (inner - torch.tensor([0.2, 0.5, 0.8])[:, None, None]).abs().max() < 0.03


def test_tiles_agree_with_the_whole_image_at_a_fractional_scale():
    """Catches a cell or a coordinate that is taken from the tile's size and not from the scale."""
    from bench.imaging.tiling import tiled

    rows, columns = torch.linspace(0, 6, 70)[:, None], torch.linspace(0, 9, 90)
    lr = torch.stack(
        [(rows.sin() * columns.cos() + 1) / 2, (rows + columns).sin() / 2 + 0.5, columns.sin()[None] ** 2 + 0 * rows]
    )
    method = _loaded(SPEC.weights["lite"])
    whole = method.upscale(lr, (161, 207), seed=0).image
    parts = tiled(lambda part, size: method.upscale(part, size, seed=0).image, lr, (161, 207), tile=64, overlap=16)
    assert (parts - whole).abs().mean() < 1e-3
    assert (parts - whole).abs().max() < 0.03


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.parametrize(("scale", "gain"), [(2, 3.0), (3, 2.4), (4, 2.2)])
def test_shipped_weights_beat_bicubic_on_set5(reference_root, scale, gain):
    """Against the per-image bicubic PSNR of the same protocol, computed outside."""
    import pandas as pd

    from bench.training.validation import SetValidation

    table = pd.read_csv(reference_root / "reference" / "bicubic_basicsr_y.csv")
    bicubic = table[(table["set"] == "Set5") & (table["scale"] == scale)]["psnr_y"].mean()
    method = _loaded(SPEC.weights["lite"])
    validation = SetValidation(reference_root / "data" / "test" / "Set5", (float(scale),))
    found = validation.run(lambda lr, size: method.upscale(lr[0], size, seed=0).image[None])
    assert found[f"Set5/psnr_y_x{scale}"] - bicubic >= gain
