"""The blind model and LTE as the harness meets them: behind `Method`, with their options and their weights files.

With the tests of groups 9 to 16 of the blind model's list beneath them. The networks are tiny and saved as an exported
training saves them; no shipped weights are needed.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from bench.api import Method, RequestError, Tiling
from bench.engine.sources import method_sources
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.info import BLIND_ASSR, BlindOptions
from methods.blind_assr.method import BlindASSRMethod
from methods.blind_assr.method import load_network as load_blind
from methods.blind_assr.network import BlindASSR, RepresentationNetwork, _starts
from methods.blind_assr.training.stage2 import load_representation
from methods.blocks.arbsr import ArbSR, ArbSRArchitecture
from methods.liif.info import LiifOptions
from methods.lte.info import LTE as LTE_SPEC
from methods.lte.info import ArbSROptions
from methods.lte.method import LTE
from methods.lte.method import load_network as load_lte

SR = ArbSRArchitecture(blocks=2, width=6, hidden=8, layers=1)
BLIND = BlindArchitecture(sr=SR, encoder=(4, 5, 6), head=8, estimator=(5, 4), modulation=7)
CPU = torch.device("cpu")
BOTH = ["lte", "blind_assr"]


def _shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Weights at which z, cell and borders are visible in the image."""
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def _made(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return _shaken(ArbSR(SR) if name == "lte" else BlindASSR(BLIND))


def _write(path: Path, name: str, tensors: dict[str, torch.Tensor], **said) -> Path:
    architecture = SR if name == "lte" else BLIND
    about = {"format": 1, "method": name, "architecture": architecture.model_dump(mode="json")} | said
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, {"assr-bench": json.dumps(about)})
    return path


def _load(name: str, path: Path) -> torch.nn.Module:
    return load_lte(path) if name == "lte" else load_blind(path)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {name: _write(tmp_path / f"{name}.safetensors", name, _made(name).state_dict()) for name in BOTH}


def _method(name: str, path: Path | None = None, **options) -> Method:
    method = LTE(ArbSROptions(**options)) if name == "lte" else BlindASSRMethod(BlindOptions(**options))
    if path is not None:
        method.load(path, CPU, torch.float32)
    return method


def _lr(height: int = 10, width: int = 13, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", BOTH)
def test_file_rebuilds_the_network_that_was_saved(files, name):
    loaded, made = _load(name, files[name]).state_dict(), _made(name).state_dict()
    assert loaded.keys() == made.keys()
    assert all(torch.equal(loaded[key], tensor) for key, tensor in made.items())


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("size", [(20, 26), (31, 14), (10, 13), (7, 9), (1, 1), (36, 47), (90, 13)])
def test_any_size_comes_out_exactly_as_float32(files, name, size):
    result = _method(name, files[name]).upscale(_lr(), size, seed=0)
    assert result.image.shape == (3, *size)
    assert result.image.dtype == torch.float32
    assert torch.isfinite(result.image).all()


@pytest.mark.parametrize("name", BOTH)
def test_odd_and_tiny_images_are_taken(files, name):
    for height, width in ((2, 2), (2, 9), (5, 3)):
        assert _method(name, files[name]).upscale(_lr(height, width), (11, 12), seed=0).image.shape == (3, 11, 12)


@pytest.mark.parametrize("name", BOTH)
def test_seed_and_earlier_images_do_not_matter(files, name):
    """Catches batch normalisation left in training mode, whose statistics would move with every image."""
    method, lr = _method(name, files[name]), _lr()
    before = lr.clone()
    first = method.upscale(lr, (23, 29), seed=0).image
    method.upscale(_lr(20, 6, seed=5) * 0.1, (40, 12), seed=7)
    assert torch.equal(method.upscale(lr, (23, 29), seed=99).image, first)
    assert torch.equal(lr, before)


@pytest.mark.parametrize("name", BOTH)
def test_values_go_in_and_out_between_zero_and_one(files, name, tmp_path):
    """A silent decoder leaves the bilinear image of the input, on the input's own scale; catches a range of [-1, 1] or
    0..255 on either side."""
    network = _made(name)
    last = (network if name == "lte" else network.sr).decoder.imnet.layers[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    path = _write(tmp_path / "silent.safetensors", name, network.state_dict())
    lr = _lr()
    image = _method(name, path).upscale(lr, (21, 40), seed=0).image
    expected = functional.interpolate(lr[None], (21, 40), mode="bilinear", align_corners=False)[0]
    assert torch.allclose(image, expected, atol=1e-5)
    assert image.min() >= -1e-5
    assert image.max() <= 1 + 1e-5


def test_network_inside_gets_and_gives_minus_one_to_one(files):
    lr = _lr()
    inside = _made("lte").upsample((lr[None] - 0.5) / 0.5, (20, 26))[0].detach() * 0.5 + 0.5
    assert torch.allclose(_method("lte", files["lte"]).upscale(lr, (20, 26), seed=0).image, inside, atol=1e-6)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("options", [{"chunk": 7}, {"tile": 3}, {"tile": 5, "chunk": 11}, {"tile": None}])
def test_chunk_and_tile_bound_the_memory_and_keep_the_image(files, name, options):
    lr = _lr()
    plain = _method(name, files[name]).upscale(lr, (27, 22), seed=0).image
    assert torch.allclose(_method(name, files[name], **options).upscale(lr, (27, 22), seed=0).image, plain, atol=1e-5)


@pytest.mark.parametrize("name", BOTH)
def test_chunk_and_tile_reach_the_network(files, name, monkeypatch):
    """Catches options that are declared and never passed on."""
    asked, seen = [], []
    method = _method(name, files[name], chunk=19, tile=4)
    sr = method.network if name == "lte" else method.network.sr
    query, encode = sr.decoder.query, sr.encoder.forward
    monkeypatch.setattr(sr.decoder, "query", lambda *a, **k: asked.append(a[2].shape[1]) or query(*a, **k))
    monkeypatch.setattr(sr.encoder, "forward", lambda *a, **k: seen.append(tuple(a[0].shape[-2:])) or encode(*a, **k))
    method.upscale(_lr(10, 13), (20, 26), seed=0)
    assert max(asked) <= 19
    assert sum(asked) == 20 * 26
    assert len(seen) == 3 * 4


@pytest.mark.parametrize("name", BOTH)
def test_default_options_clip_the_cell_at_the_trained_scale_and_tile_large_images(name):
    options = _method(name).options
    assert (options.cell_clip, options.tile, options.chunk) == (4.0, 256, 8192)


@pytest.mark.parametrize("name", BOTH)
def test_cell_clip_works_beyond_its_scale_only(files, name):
    lr = _lr()

    def image(size, **options):
        return _method(name, files[name], **options).upscale(lr, size, seed=0).image

    assert torch.equal(image((40, 52)), image((40, 52), cell_clip=None))
    assert not torch.allclose(image((80, 104)), image((80, 104), cell_clip=None), atol=1e-6)
    assert torch.equal(image((80, 104), cell_clip=8.0), image((80, 104), cell_clip=None))
    assert not torch.allclose(image((20, 26), cell_clip=1.0), image((20, 26)), atol=1e-6)


@pytest.mark.parametrize("name", BOTH)
def test_clipped_cell_is_that_of_four_times_the_image_on_the_axis_that_is_beyond(files, name):
    lr = _lr()
    method = _method(name, files[name])
    heard = []
    sr = method.network if name == "lte" else method.network.sr
    sr.decoder.phase.register_forward_hook(lambda module, inputs, output: heard.append(inputs[0]))
    for size, expected in (((80, 104), (0.5, 0.5)), ((80, 26), (0.5, 1.0)), ((10, 52), (2.0, 0.5))):
        heard.clear()
        method.upscale(lr, size, seed=0)
        assert heard[0].reshape(-1).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("bad", [{"chunk": 0}, {"tile": 0}, {"cell_clip": 0.5}, {"chunks": 3}])
def test_impossible_options_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        BlindOptions(**bad)


def test_options_of_another_method_are_refused():
    with pytest.raises(RequestError, match="blind_assr takes BlindOptions"):
        BlindASSRMethod(ArbSROptions())
    with pytest.raises(RequestError, match="lte takes ArbSROptions"):
        LTE(LiifOptions())


# the degradation representation


def test_degradation_of_the_image_changes_how_it_is_enlarged(files):
    """Two images that share their left part but not their degradation elsewhere: the left part comes out differently,
    far beyond what a convolution of the network could carry over."""
    sharp = _lr(40, 60)
    blurred = sharp.clone()
    blurred[..., 30:] = functional.avg_pool2d(sharp[None, :, :, 29:], 3, stride=1, padding=1)[0][..., 1:]
    method = _method("blind_assr", files["blind_assr"])
    images = [method.upscale(lr, (40, 60), seed=0).image[..., :15] for lr in (sharp, blurred)]
    assert (images[0] - images[1]).abs().max() > 1e-5
    plain = _method("lte", files["lte"])
    images = [plain.upscale(lr, (40, 60), seed=0).image[..., :15] for lr in (sharp, blurred)]
    assert (images[0] - images[1]).abs().max() < 1e-6


def _heard_bands(method: Method, lr: torch.Tensor) -> list[torch.Tensor]:
    heard = []
    handle = method.network.encoder.register_forward_hook(lambda module, inputs, output: heard.append(inputs[0]))
    method.upscale(lr, (20, 20), seed=0)
    handle.remove()
    return heard


def test_encoder_gets_the_whole_image_once_in_the_range_of_training(files):
    """The sub-bands scale with gain: E fed with [-1, 1] would see twice the contrast that it was trained on."""
    lr = _lr(12, 14)
    (bands,) = _heard_bands(_method("blind_assr", files["blind_assr"], tile=4), lr)
    assert bands.shape == (1, 9, 6, 7)
    block = lr[:, :2, :2]
    assert bands[0, 3, 0, 0] == pytest.approx(float(block[0, 0].sum() - block[0, 1].sum()) / 2, abs=1e-6)
    (signed,) = _heard_bands(_method("blind_assr", files["blind_assr"], encoder_range="signed"), lr)
    assert torch.allclose(signed, 2 * bands, atol=1e-6)


def test_windows_reach_both_borders_and_their_mean_is_the_z_of_the_image(files):
    lr = _lr(12, 15)
    (bands,) = _heard_bands(_method("blind_assr", files["blind_assr"], z_window=8), lr)
    assert tuple(bands.shape) == (9, 9, 4, 4)
    network = load_blind(files["blind_assr"]).eval()
    parts = torch.cat([lr[None, :, r : r + 8, c : c + 8] for r in (0, 2, 4) for c in (0, 4, 7)])
    expected = network.representation(parts).mean(dim=0, keepdim=True)
    assert torch.allclose(network.representation(lr[None], window=8), expected, atol=1e-6)
    assert not torch.allclose(network.representation(lr[None]), expected, atol=1e-6)


def test_a_window_larger_than_the_image_is_the_image(files):
    network, lr = load_blind(files["blind_assr"]).eval(), _lr(12, 15)[None]
    assert torch.allclose(network.representation(lr, window=64), network.representation(lr, window=0), atol=1e-6)


def test_windows_are_those_of_the_architecture_and_the_option_overrides_them(tmp_path):
    torch.manual_seed(0)
    trained = BLIND.model_copy(update={"z_window": 8})
    network = _shaken(BlindASSR(trained)).eval()
    path = _write(
        tmp_path / "w.safetensors", "blind_assr", network.state_dict(), architecture=trained.model_dump(mode="json")
    )
    lr = _lr(12, 15)
    (bands,) = _heard_bands(_method("blind_assr", path), lr)
    assert bands.shape[0] == 9
    (whole,) = _heard_bands(_method("blind_assr", path, z_window=0), lr)
    assert tuple(whole.shape) == (1, 9, 6, 8)


def test_windows_of_a_large_image_are_bounded_and_spread_over_all_of_it():
    starts = _starts(4000, 32)
    assert len(starts) == 24
    assert (starts[0], starts[-1]) == (0, 4000 - 32)
    assert max(b - a for a, b in itertools.pairwise(starts)) <= 174


def test_without_implicit_representation_options_of_the_encoder_do_nothing(tmp_path):
    torch.manual_seed(0)
    plain = BLIND.model_copy(update={"implicit": False})
    network = _shaken(BlindASSR(plain))
    path = _write(
        tmp_path / "p.safetensors", "blind_assr", network.state_dict(), architecture=plain.model_dump(mode="json")
    )
    images = [
        _method("blind_assr", path, **options).upscale(_lr(), (20, 30), seed=0).image
        for options in ({}, {"z_window": 8}, {"encoder_range": "signed"})
    ]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


# weights files


@pytest.mark.parametrize("name", BOTH)
def test_weights_of_another_method_are_named_with_the_file(files, name, tmp_path):
    other = files["blind_assr" if name == "lte" else "lte"]
    with pytest.raises(RequestError, match=rf"{other.name} holds weights of '.*', expected '{name}'"):
        _method(name).load(other, CPU, torch.float32)
    liif = _write(tmp_path / "liif.safetensors", "lte", _made("lte").state_dict(), method="liif")
    with pytest.raises(RequestError, match=r"liif\.safetensors holds weights of 'liif'"):
        _method(name).load(liif, CPU, torch.float32)


def _stage_one(tmp_path: Path) -> Path:
    tensors = RepresentationNetwork(BLIND).state_dict()
    return _write(tmp_path / "stage1.safetensors", "blind_assr", tensors, stage="representation")


def test_weights_of_stage_one_are_no_model_and_the_file_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"stage1\.safetensors"):
        _method("blind_assr").load(_stage_one(tmp_path), CPU, torch.float32)


def test_weights_of_stage_two_are_no_stage_one_and_the_file_is_named(files):
    with pytest.raises(RequestError, match=r"blind_assr\.safetensors"):
        load_representation(files["blind_assr"], BLIND)


@pytest.mark.parametrize(("change", "named"), [({"encoder": (4, 5, 8)}, "encoder"), ({"wavelet": "rgb"}, "wavelet")])
def test_stage_one_of_another_shape_is_named_with_both_shapes(tmp_path, change, named):
    with pytest.raises(RequestError, match=rf"stage1\.safetensors was trained with {named} .*, this configuration has"):
        load_representation(_stage_one(tmp_path), BLIND.model_copy(update=change))
    assert not load_representation(_stage_one(tmp_path), BLIND).training


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x80\x04K\x01."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_damaged_files_are_named(tmp_path, name, content, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=rf"damaged\{suffix}"):
        _method(name).load(path, CPU, torch.float32)


@pytest.mark.parametrize("name", BOTH)
def test_truncated_missing_and_incomplete_files_are_named(files, name, tmp_path):
    tensors = _made(name).state_dict()
    lost = sorted(tensors)[0]
    incomplete = _write(
        tmp_path / "incomplete.safetensors", name, {key: tensors[key] for key in tensors if key != lost}
    )
    with pytest.raises(RequestError, match=rf"incomplete\.safetensors: tensor '{lost}'.*missing"):
        _load(name, incomplete)
    stray = _write(tmp_path / "stray.safetensors", name, tensors | {"stray": torch.zeros(1)})
    with pytest.raises(RequestError, match=r"stray\.safetensors: unknown tensor 'stray'"):
        _load(name, stray)
    broken = _write(tmp_path / "nan.safetensors", name, tensors | {lost: torch.full(tensors[lost].shape, torch.nan)})
    with pytest.raises(RequestError, match=rf"nan\.safetensors: tensor '{lost}'.*not finite"):
        _load(name, broken)
    files[name].write_bytes(files[name].read_bytes()[:-40])
    with pytest.raises(RequestError, match=rf"{name}\.safetensors is damaged"):
        _load(name, files[name])
    with pytest.raises(RequestError, match=r"nowhere\.safetensors"):
        _load(name, tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("name", BOTH)
def test_architecture_that_this_version_does_not_know_is_refused(name, tmp_path):
    path = _write(tmp_path / "new.safetensors", name, _made(name).state_dict(), architecture={"transformer": 1})
    with pytest.raises(RequestError, match=r"new\.safetensors.*transformer"):
        _load(name, path)


def test_lte_does_not_take_a_network_with_another_decoder(tmp_path):
    liif = SR.model_copy(update={"inr": "liif"})
    path = _write(tmp_path / "x.safetensors", "lte", ArbSR(liif).state_dict(), architecture=liif.model_dump())
    with pytest.raises(RequestError, match=r"x\.safetensors.*inr"):
        load_lte(path)


@pytest.mark.parametrize("name", BOTH)
def test_no_weights_says_how_to_get_them_and_no_loading_says_so(name):
    with pytest.raises(RequestError, match=f"--weights {name}=PATH"):
        _method(name).load(None, CPU, torch.float32)
    with pytest.raises(RequestError, match="before its weights were loaded"):
        _method(name).upscale(_lr(), (4, 4), seed=0)


@pytest.mark.parametrize("spec", [LTE_SPEC, BLIND_ASSR], ids=BOTH)
def test_harness_leaves_tiling_and_seeds_to_the_method(spec):
    """Tiles of the harness would each have a z of their own."""
    assert spec.info.tiling is Tiling.INTERNAL
    assert not spec.info.stochastic


def test_output_key_of_the_blind_model_covers_the_code_that_it_shares_with_lte():
    lte, blind = (set(method_sources(spec.factory, root=spec.root)) for spec in (LTE_SPEC, BLIND_ASSR))
    assert {"methods.blocks.arbsr", "methods.blocks.fourier", "methods.lte.info"} <= lte & blind


def test_reading_the_specs_does_not_import_torch():
    code = "import sys, methods.lte.info, methods.blind_assr.info; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
