"""CASR's full size on tiny models read from the published formats: loading, cycles in tiles, what is missing."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bench.api import UNTRAINED, RequestError
from bench.engine.choice import choose_methods
from bench.registry import METHODS
from methods.blocks.codec import VaeCodec
from methods.blocks.tiles import decode_tiled
from methods.casr.architecture import SsamArchitecture
from methods.casr.info import CASR, CasrOptions
from methods.casr.loading import Sources, load_parts
from methods.casr.method import CasrMethod, load_network
from methods.casr.network import Casr
from methods.casr.text import FIXED, Prompter, find_tagger

CPU = torch.device("cpu")
LIGHT = {"tile": 128, "overlap": 16, "min_side": 64, "decode_tile": 24, "decode_overlap": 4, "batch": 16}


def _options(published, **said) -> CasrOptions:
    paths = {"sd_path": published.sd, "sam_path": published.sam, "depth_path": published.depth}
    return CasrOptions(**({**paths, **LIGHT} | said))


def _method(published, weights: Path | None = None, **said) -> CasrMethod:
    method = CasrMethod(_options(published, **said))
    method.load(weights, CPU, torch.float32)
    return method


def _trained(published, path: Path, **changes) -> Path:
    """Adapters that do something, as a training would leave them."""
    torch.manual_seed(1)
    fresh, _ = load_network(None, _options(published))
    architecture = fresh.architecture.model_copy(update={"ssam": SsamArchitecture(width=0.1)})
    parts = load_parts(Sources(published.sd, published.sam, published.depth))
    network = Casr(architecture, parts)
    tensors = {
        name: tensor if name.startswith("ssam.") else torch.randn_like(tensor) * 0.1
        for name, tensor in network.state_dict().items()
    }
    architecture = architecture.model_copy(update=changes)
    about = {"format": 1, "method": "casr", "architecture": architecture.model_dump(mode="json")}
    save_file(tensors, path, {"assr-bench": json.dumps(about)})
    return path


@pytest.mark.slow
def test_eighteenfold_of_96_pixels_in_tiles(published, tmp_path):
    """The whole chain on 1728 x 1728 pixels: three cycles, up to 256 tiles, SARM over all, tiled decoding."""
    method = _method(published, _trained(published, tmp_path / "adapters.safetensors"))
    assert method.notes == ()
    y, x = torch.meshgrid(torch.linspace(0, 9, 96), torch.linspace(0, 7, 96), indexing="ij")
    lr = torch.stack((x.sin(), y.cos(), (x * y / 9).sin())) * 0.4 + 0.5
    found = method.upscale(lr, (1728, 1728), seed=0)
    assert [each.shape[-1] for each in found.stages] == [384, 1152, 1728]
    assert torch.isfinite(found.image).all()
    assert 0 <= found.image.min() < found.image.max() <= 1


def test_a_small_image_runs_with_and_without_adapters(published, tmp_path):
    lr = torch.rand(3, 12, 17, generator=torch.Generator().manual_seed(0))
    untrained = _method(published)
    assert len(untrained.notes) == 1
    assert "untrained" in untrained.notes[0]
    plain = untrained.upscale(lr, (60, 85), seed=0)
    assert [tuple(each.shape) for each in plain.stages] == [(3, 40, 57), (3, 60, 85)]
    assert torch.equal(untrained.upscale(lr, (60, 85), seed=3).image, plain.image)
    trained = _method(published, _trained(published, tmp_path / "adapters.safetensors"))
    assert not torch.allclose(trained.upscale(lr, (60, 85), seed=0).image, plain.image, atol=1e-3)


def test_half_precision_leaves_superpixels_and_decoder_alone(published, tmp_path):
    network = _method(published, _trained(published, tmp_path / "a.safetensors"), precision="bfloat16").network
    kinds = {name: next(getattr(network, name).parameters()).dtype for name in ("unet", "controlnet", "sarm", "text")}
    assert set(kinds.values()) == {torch.bfloat16}
    assert next(network.codec.vae.decoder.parameters()).dtype == torch.float32
    assert next(network.codec.vae.encoder.parameters()).dtype == torch.bfloat16
    assert next(network.ssam.parameters()).dtype == torch.float32
    s, depth = network.align(torch.rand(1, 3, 9, 9), (30, 30))
    with torch.no_grad():
        assert network.enhance(s, depth, torch.rand(1, 3, 9, 9)).shape == (1, 3, 30, 30)


@pytest.mark.parametrize(
    ("missing", "off", "text"),
    [("sam_path", "sarm", "SARM is off"), ("depth_path", "controlnet", "ControlNet is off")],
)
def test_without_a_part_what_needs_it_is_off_and_the_user_is_told(published, tmp_path, missing, off, text):
    """Catches a missing part that silently changes the result, and weights that then no longer fit."""
    weights = _trained(published, tmp_path / "adapters.safetensors")
    method = _method(published, weights, **{missing: None})
    assert getattr(method.network, off) is None
    (note,) = method.notes
    assert text in note
    assert f"casr.{missing}=" in note
    assert method.upscale(torch.rand(3, 8, 8), (20, 20), seed=0).image.shape == (3, 20, 20)


def test_without_sd_turbo_nothing_runs_and_it_is_said_how_to_get_it(published, tmp_path):
    for weights in (None, _trained(published, tmp_path / "adapters.safetensors")):
        with pytest.raises(RequestError, match=r"stabilityai/sd-turbo.*sd_path"):
            _method(published, weights, sd_path=None)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer"])
def test_a_hole_in_sd_turbo_is_named(published, tmp_path, part):
    folder = tmp_path / "sd"
    shutil.copytree(published.sd, folder)
    shutil.rmtree(folder / part)
    with pytest.raises(RequestError, match=rf"sd_path.*{part}.*stabilityai/sd-turbo"):
        load_network(None, _options(published, sd_path=folder))


@pytest.mark.parametrize(("option", "name"), [("sam_path", "sam-vit-base"), ("depth_path", "depth-anything-small")])
def test_a_folder_that_is_not_the_part_is_named(published, tmp_path, option, name):
    with pytest.raises(RequestError, match=name):
        load_network(None, _options(published, **{option: tmp_path}))


def test_a_model_that_predicts_something_else_is_refused(published, tmp_path):
    folder = tmp_path / "sd"
    shutil.copytree(published.sd, folder)
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"prediction_type": "v_prediction"}))
    with pytest.raises(RequestError, match="v_prediction"):
        load_network(None, _options(published, sd_path=folder))


def test_adapters_of_another_model_are_refused(published, tmp_path):
    weights = _trained(published, tmp_path / "adapters.safetensors", semantic_dim=9)
    with pytest.raises(RequestError, match="9 channels"):
        _method(published, weights)


# --- the label ---


def test_without_adapters_the_row_is_untrained_whatever_else_is_set(published):
    """Its variant is what tables leave out (tests/report); with adapters it is the file's. Catches a row that is called
    by a folder of this machine."""
    METHODS.add("casr", CASR, origin="a test") if "casr" not in METHODS.names() else None
    (choice,) = choose_methods(["casr"], weights="casr=untrained", overrides=[f"casr.sd_path={published.sd}"])
    assert choice.trained == UNTRAINED
    assert re.fullmatch(r"CASR \(untrained,sd_path=[0-9a-f]{8}\)", choice.display)
    assert choice.weights is None


# --- text ---


def test_the_prompt_is_read_from_every_cycles_image(published, monkeypatch):
    """Catches a prompt that is made once from LR, and images that a tagger is not given in [0, 1]."""
    seen = []

    def tags(image: torch.Tensor) -> list[str]:
        seen.append(image)
        return ["a cat", f"size {image.shape[-1]}"]

    method = _method(published)
    method.network.prompter = Prompter("ram", tags)
    lr = torch.rand(3, 8, 8)
    found = method.upscale(lr, (48, 48), seed=0)
    assert [each.shape[-1] for each in seen] == [8, 32]
    torch.testing.assert_close(seen[0], lr, atol=1e-6, rtol=0)
    torch.testing.assert_close(seen[1], found.stages[0], atol=1e-6, rtol=0)


def test_prompts_and_taggers():
    images = torch.zeros(2, 3, 4, 4)
    assert Prompter("fixed")(images) == [FIXED] * 2
    assert Prompter("empty")(images) == ["", ""]
    assert Prompter("ram", lambda image: ("sky", "sea"))(images) == ["sky, sea"] * 2
    assert Prompter("ram", lambda image: "sky")(images) == ["sky"] * 2
    assert find_tagger("math:sqrt")(4.0) == 2.0
    for bad in ("math", "math:nothing", "nowhere.at.all:x", "math:pi"):
        with pytest.raises(RequestError, match=r"PACKAGE\.MODULE:NAME"):
            find_tagger(bad)
    with pytest.raises(RequestError, match="tagger"):
        Prompter("ram")


def test_text_is_that_of_the_text_encoder_and_other_prompts_give_other_images(published):
    network = _method(published).network
    text = network.text
    read = text.tokenizer("a cat", padding="max_length", max_length=12, truncation=True, return_tensors="pt")
    with torch.no_grad():
        expected = text.encoder(read.input_ids)[0]
    assert expected.shape == (1, 12, 16)
    found = text(["a cat", "a cat", FIXED])
    assert torch.equal(found[:1], expected)
    assert torch.equal(found[1], found[0])
    assert not torch.allclose(found[2], found[0])
    nn.init.normal_(text.encoder.get_input_embeddings().weight)
    s, reference = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 9, 9)
    images = []
    for kind in ("fixed", "empty"):
        network.prompter = Prompter(kind)
        with torch.no_grad():
            images.append(network.enhance(s, None, reference))
    assert not torch.equal(*images)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "sam", "depth"])
def test_weights_with_a_hole_are_refused_not_filled_with_noise(published, tmp_path, part):
    """diffusers and transformers initialise what a file lacks at random, and only log it."""
    folder, option = tmp_path / "copy", {"sam": "sam_path", "depth": "depth_path"}.get(part, "sd_path")
    shutil.copytree(getattr(published, option.removesuffix("_path")), folder)
    (file,) = (folder / part if option == "sd_path" else folder).glob("*.safetensors")
    tensors = load_file(file)
    name = next(name for name in sorted(tensors) if part != "sam" or name.startswith("vision_encoder."))
    del tensors[name]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(RequestError, match=option):
        load_network(None, _options(published, **{option: folder}))


def test_downloads_in_half_precision_alone_are_read(published, tmp_path):
    """As hubs serve them: `*.fp16.safetensors` and nothing else. Catches parts that stay in 16 bits."""
    folders = {}
    for option in ("sd_path", "sam_path", "depth_path"):
        folders[option] = tmp_path / option
        shutil.copytree(getattr(published, option.removesuffix("_path")), folders[option])
        for file in folders[option].rglob("*.safetensors"):
            tensors = {name: tensor.half() for name, tensor in load_file(file).items()}
            save_file(tensors, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
            file.unlink()
    found, _ = load_network(None, _options(published, **folders))
    whole, _ = load_network(None, _options(published))
    for (name, tensor), (_, other) in zip(found.named_parameters(), whole.named_parameters(), strict=True):
        assert tensor.dtype == torch.float32
        if "lora" not in name and not name.startswith(("sarm.", "controlnet.")):  # drawn anew
            torch.testing.assert_close(tensor, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("part", ["depth_path", "dino"])
def test_no_hub_is_asked_where_downloads_are_forbidden(monkeypatch, part):
    """Catches a part that is asked for by its hub id whatever the user said."""
    import transformers

    from methods.casr.ssam import DepthAnything
    from methods.casr.training.losses.gan import DinoFeatures

    asked = []
    for kind in (transformers.AutoModelForDepthEstimation, transformers.ViTModel):
        monkeypatch.setattr(
            kind, "from_pretrained", lambda *_, local_files_only, **__: (asked.append(local_files_only), 1 / 0)
        )
    for value, local in (("0", True), ("1", False)):
        monkeypatch.setenv("ASSR_BENCH_DOWNLOAD", value)
        with pytest.raises(ZeroDivisionError):
            DinoFeatures("somebody/dino") if part == "dino" else DepthAnything("somebody/depth")
        assert asked.pop() is local


def test_what_makes_the_clean_latent_stays_in_float32(published, tmp_path):
    """Dividing by 0.068 multiplies what bfloat16 rounds. Catches a cast of the latent, of the UNet's last convolution,
    or of the encoder's."""
    network = _method(published, _trained(published, tmp_path / "a.safetensors"), precision="bfloat16").network
    image = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        z = network.codec.encode(image)
        noise = network.unet.conv_out(torch.randn(1, 16, 8, 8).bfloat16())
    assert z.dtype == noise.dtype == torch.float32
    assert float((z - z.bfloat16().float()).abs().max()) > 0
    clean = network.clean(z, noise.bfloat16())
    kept = 0.0046601
    expected = (z.double() - (1 - kept) ** 0.5 * noise.bfloat16().double()) / kept**0.5
    torch.testing.assert_close(clean.double(), expected, rtol=1e-4, atol=1e-3)


def test_a_tokenizer_without_its_words_is_refused(published, tmp_path):
    folder = tmp_path / "sd"
    shutil.copytree(published.sd, folder)
    (folder / "tokenizer" / "vocab.json").unlink()
    with pytest.raises(RequestError, match="tokenizer"):
        load_network(None, _options(published, sd_path=folder))


def test_tiles_of_the_decoder_are_normalised_alike(published):
    """Catches statistics of single tiles (seams where neighbours differ), and statistics that outlast their image."""
    torch.manual_seed(2)
    codec = load_parts(Sources(published.sd)).vae
    codec = VaeCodec(codec)
    for parameter in codec.vae.decoder.parameters():
        nn.init.normal_(parameter, mean=0.1, std=0.3)
    ramp = torch.linspace(0, 3, 96).expand(1, 4, 24, 96)
    latent = 0.18215 * (ramp * torch.randn(1, 4, 24, 96) + ramp)

    def tiled() -> torch.Tensor:
        return decode_tiled(codec.decode, latent, factor=codec.factor, tile=32, overlap=8)

    with torch.no_grad():
        whole, apart = codec.decode(latent), tiled()
        with codec.shared_statistics(latent, tile=32):
            together = tiled()
        assert torch.equal(codec.decode(latent), whole)
        with codec.shared_statistics(latent, tile=96):
            assert torch.equal(codec.decode(latent), whole)
    off = [float((image - whole).abs().mean() / whole.std()) for image in (apart, together)]
    assert off[1] < 0.5 * off[0]
