"""CasSR's full size on tiny models in the published formats: loading, every activation, tiles, what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

from bench.api import UNTRAINED, RequestError
from bench.engine.choice import choose_methods
from bench.registry import METHODS
from methods.cassr.info import CASSR, CassrOptions
from methods.cassr.loading import load_parts
from methods.cassr.method import CassrMethod, load_network
from methods.cassr.network import Cassr

CPU = torch.device("cpu")
LIGHT = {"steps": 2, "iam_steps": 2, "tile": 64, "overlap": 16, "min_side": 64, "decode_tile": 24, "decode_overlap": 4}


def _options(published, **said) -> CassrOptions:
    light = {name: value for name, value in LIGHT.items() if name != "iam_steps" or said.get("iam") not in ("sr", "lr")}
    return CassrOptions(**({"sd_path": published.sd15, **light} | said))


def _method(published, weights: Path | None = None, **said) -> CassrMethod:
    method = CassrMethod(_options(published, **said))
    method.load(weights, CPU, torch.float32)
    return method


def _trained(published, path: Path, **changes) -> Path:
    """Adapters that do something, as a training would leave them."""
    torch.manual_seed(1)
    network, _ = load_network(None, _options(published))
    tensors = {name: torch.randn_like(tensor) * 0.1 for name, tensor in network.state_dict().items()}
    architecture = network.architecture.model_copy(update=changes)
    about = {"format": 1, "method": "cassr", "architecture": architecture.model_dump(mode="json")}
    save_file(tensors, path, {"assr-bench": json.dumps(about)})
    return path


@pytest.fixture(scope="module")
def trained(published, tmp_path_factory) -> Path:
    return _trained(published, tmp_path_factory.mktemp("cassr") / "adapters.safetensors")


@pytest.fixture(scope="module")
def lr() -> torch.Tensor:
    """A smooth image, 48 x 64."""
    y, x = torch.meshgrid(torch.linspace(0, 9, 48), torch.linspace(0, 7, 64), indexing="ij")
    return torch.stack((x.sin(), y.cos(), (x * y / 9).sin())) * 0.4 + 0.5


@pytest.mark.parametrize("scale", [4, 6])
@pytest.mark.parametrize("iam", ["scedit", "controlnet", "lr", "sr"])
def test_every_activation_runs_with_guidance_in_tiles(published, trained, lr, iam, scale, tmp_path):
    """The whole chain on 256 x 192 and 384 x 288 pixels. Catches a module that is not moved, cut or brought to size."""
    said = {"iam": iam, "cfg": 7.5}
    if iam == "sr":
        said["iam_weights"] = _checkpoint(tmp_path / "sr.safetensors")
    method = _method(published, trained, **said)
    assert method.notes == ()
    result = method.upscale(lr, (48 * scale, 64 * scale), seed=0)
    assert tuple(result.image.shape) == (3, 48 * scale, 64 * scale)
    assert len(result.stages) == (1 if scale == 4 else 2)
    assert 0 <= result.image.min() < result.image.max() <= 1
    assert float(result.image.std()) > 1e-3


def _checkpoint(path: Path) -> Path:
    """A checkpoint of an architecture that spandrel recognises (Compact x4), of random weights."""
    torch.manual_seed(3)
    save_file(SRVGGNetCompact(num_in_ch=3, num_out_ch=3, num_feat=8, num_conv=2, upscale=4).state_dict(), path)
    return path


def test_the_state_holds_what_is_added_and_nothing_of_stable_diffusion(published):
    """Catches checkpoints of gigabytes, and a ControlNet that is stored twice."""
    network, _ = load_network(None, _options(published))
    kinds = {name.split(".")[0] for name in network.state_dict()}
    assert kinds == {"controlnet", "mam", "csc"}
    assert not any(parameter.requires_grad for parameter in network.unet.parameters())


def test_untrained_adapters_change_nothing_and_the_user_is_told(published, lr):
    """The zero-initialised model is Stable Diffusion from an LR start: every activation gives the same image."""
    small = lr[:, :16, :16]
    found = [
        _method(published, iam=iam).upscale(small, (64, 64), seed=4).image for iam in ("lr", "scedit", "controlnet")
    ]
    assert all(torch.equal(found[0], each) for each in found[1:])
    method = _method(published)
    assert len(method.notes) == 1
    assert "untrained" in method.notes[0]
    METHODS.add("cassr", CASSR, origin="a test") if "cassr" not in METHODS.names() else None
    (choice,) = choose_methods(["cassr"], weights="cassr=untrained", overrides=[f"cassr.sd_path={published.sd15}"])
    assert choice.trained == UNTRAINED
    assert choice.display.startswith("CasSR (untrained")


def test_a_tuner_from_a_file_takes_the_place_of_the_weights_own(published, trained, lr, tmp_path):
    """Catches scedit_ckpt that is read and forgotten."""
    network, _ = load_network(None, _options(published))
    torch.manual_seed(9)
    tensors = {f"csc.{name}": torch.randn_like(each) * 0.1 for name, each in network.csc.state_dict().items()}
    file = tmp_path / "csc.safetensors"
    save_file(tensors, file)
    small = lr[:, :16, :16]
    other = _method(published, trained, scedit_ckpt=file)
    assert torch.equal(other.network.csc.state_dict()["stem.0.weight"], tensors["csc.stem.0.weight"])
    one, two = (each.upscale(small, (64, 64), seed=0).image for each in (_method(published, trained), other))
    assert not torch.allclose(one, two, atol=1e-4)
    save_file({"x": torch.zeros(1)}, tmp_path / "none.safetensors")
    with pytest.raises(RequestError, match=r"scedit_ckpt.*csc\."):
        _method(published, trained, scedit_ckpt=tmp_path / "none.safetensors")


def test_half_precision_alone_loads(published, lr, tmp_path):
    """Catches a loader that asks for the whole files."""
    folder = tmp_path / "sd"
    shutil.copytree(published.sd15, folder)
    for part in ("unet", "vae", "text_encoder"):
        (file,) = (folder / part).glob("*.safetensors")
        save_file(
            {n: t.half() for n, t in load_file(file).items()}, file.with_suffix(".fp16.safetensors"), {"format": "pt"}
        )
        file.unlink()
    network, _ = load_network(None, _options(published, sd_path=folder))
    assert next(network.unet.parameters()).dtype == torch.float32


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
def test_a_hole_in_stable_diffusion_is_named(published, tmp_path, part):
    folder = tmp_path / "sd"
    shutil.copytree(published.sd15, folder)
    shutil.rmtree(folder / part)
    with pytest.raises(RequestError, match=rf"cassr\.sd_path.*{part}.*stable-diffusion-v1-5"):
        load_network(None, _options(published, sd_path=folder))


def test_a_missing_tensor_is_refused(published, tmp_path):
    """The libraries would fill it with random values."""
    folder = tmp_path / "sd"
    shutil.copytree(published.sd15, folder)
    (file,) = (folder / "unet").glob("*.safetensors")
    tensors = load_file(file)
    tensors.pop("conv_out.weight")
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(RequestError, match=r"conv_out\.weight"):
        load_network(None, _options(published, sd_path=folder))


def test_without_stable_diffusion_it_is_said_how_to_get_it(published, trained):
    for weights in (None, trained):
        with pytest.raises(RequestError, match=r"stable-diffusion-v1-5.*sd_path"):
            _method(published, weights, sd_path=None)


def test_adapters_of_another_model_are_refused(published, tmp_path):
    unet = load_network(None, _options(published))[0].architecture.unet.model_copy(update={"cross_dim": 24})
    with pytest.raises(RequestError, match="another UNet"):
        _method(published, _trained(published, tmp_path / "a.safetensors", unet=unet))


def test_without_a_restorer_sr_is_refused_before_the_first_image(published, trained):
    with pytest.raises(RequestError, match="iam_weights"):
        _method(published, trained, iam="sr")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_stays_near(published, trained, lr, precision):
    """Schedule, decoder and last convolutions in float32. Catches a division by 0.068 in bfloat16."""
    small = lr[:, :16, :16]
    whole = _method(published, trained, iam="lr", cfg=1.0).upscale(small, (64, 64), seed=0).image
    method = _method(published, trained, iam="lr", cfg=1.0, precision=precision)
    half = method.upscale(small, (64, 64), seed=0).image
    network = method.network
    assert next(network.codec.vae.decoder.parameters()).dtype == torch.float32
    assert next(network.controlnet.parameters()).dtype == getattr(torch, precision)
    assert network.unet.conv_out.weight.dtype == torch.float32
    assert float((whole - half).square().mean().sqrt()) < 0.02


def test_text_is_the_prompt_that_was_asked_for(published, trained, lr):
    """CFG's branches by their words. Catches a caption that is not read, and a negative prompt in the wrong branch."""
    spoken: list[tuple[str, ...]] = []

    def listen(network: Cassr) -> None:
        text = network.text
        real = text.forward
        text.forward = lambda prompts: (spoken.append(tuple(prompts)), real(prompts))[1]

    small, expected = lr[:, :16, :16], "clean, high-resolution"
    for said, words in (
        ({}, {expected, ""}),
        ({"prompt": "null", "cfg": None}, {""}),
        ({"prompt": "null", "negative": True}, {"", "dotted, noise, blur, lowres, smooth"}),
        ({"prompt": "caption", "caption": "a cat"}, {f"a cat, {expected}", ""}),
        ({"negative": True}, {expected, "dotted, noise, blur, lowres, smooth"}),
        ({"cfg": 1.0}, {expected}),
    ):
        method = _method(published, trained, **({"iam": "lr", "cfg": 3.0, "steps": 1} | said))
        spoken.clear()
        listen(method.network)
        method.upscale(small, (64, 64), seed=0)
        assert {word for each in spoken for word in each} == words


def test_a_v_predicting_model_is_refused(published, tmp_path):
    folder = tmp_path / "sd"
    shutil.copytree(published.sd15, folder)
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": "v_prediction"}))
    with pytest.raises(RequestError, match="v_prediction"):
        load_parts(folder)
