"""Cycles and the method as the harness sees it (groups 2, 12 and 14 of CASR's list, options, weights)."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn

from bench.api import RequestError
from methods.blocks.colour import wavelet
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.plan import sizes
from methods.blocks.resample import resample
from methods.casr.architecture import CasrArchitecture, SarmArchitecture, SsamArchitecture
from methods.casr.cycle import Sampling, cycle, upscale
from methods.casr.info import CASR, CasrOptions, fingerprint
from methods.casr.method import CasrMethod, load_network
from methods.casr.network import Casr, TileSettings
from methods.casr.ssam import Ssam

ARCHITECTURE = CasrArchitecture(
    factor=2,
    control_embedding=(4, 8),
    unet=UNetArchitecture(channels=(8, 16), attention=(False, True), heads=(1, 2), groups=4, cross_dim=6),
    ssam=SsamArchitecture(width=0.1),
    sarm=SarmArchitecture(heads=2, head_dim=4),
    semantic_dim=6,
    semantic_grid=4,
)
CPU = torch.device("cpu")


def _network(**said) -> Casr:
    """Random in every layer, but so weak that cycles do not run away."""
    torch.manual_seed(3)
    network = Casr(ARCHITECTURE.model_copy(update=said)).eval()
    for module in (network.unet, network.controlnet, network.sarm):
        for parameter in module.parameters() if module is not None else ():
            nn.init.normal_(parameter, std=0.08)
    network.settings = TileSettings(tile=64, overlap=16, smallest=16)
    return network


@pytest.fixture(scope="module")
def network() -> Casr:
    return _network()


def _lr(height: int, width: int, *, batch: int = 1) -> torch.Tensor:
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(2)) * 1.6 - 0.8


SMOOTH = {"codec": "overlap", "decoder": (8, 6), "anchor": "bicubic", "padding": "replicate"}
"""Of an architecture that leaves no lattice."""


def _smooth(**change) -> Casr:
    """Such a network, random in its decoder too."""
    network = _network(**SMOOTH | change)
    for parameter in network.codec.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


def _grey_error(network: Casr) -> float:
    """Largest deviation from a constant image, after any of three cycles; several tiles in the last."""
    grey = torch.tensor([-0.4, 0.0, 0.7])[:, None, None].expand(1, 3, 6, 6)
    images = upscale(network, grey, (108, 108))
    assert len(images) == 3
    return max(float((image - grey[..., :1, :1]).abs().max()) for image in images)


def test_a_constant_image_stays_constant_whatever_the_weights_are():
    """Catches zeros around the image, kernels that do not overlap, and a mean that cycles add up."""
    network = _smooth()
    image = upscale(network, _lr(6, 7), (24, 28))[0]
    assert float((image - resample(_lr(6, 7), (24, 28))).abs().mean()) > 0.05  # it does something
    assert _grey_error(network) < 1e-4
    for change in ({"padding": "zeros"}, {"codec": "unshuffle"}, {"anchor": "superpixels", "codec": "unshuffle"}):
        assert _grey_error(_smooth(**change)) > 1e-3


def test_residual_against_bicubic_has_mean_zero_and_a_fresh_network_is_bicubic():
    """Catches superpixels as the anchor, and an anchor that does not reach the network."""
    lr = _lr(9, 11)
    fresh = Casr(ARCHITECTURE.model_copy(update=SMOOTH)).eval()
    fresh.settings = TileSettings(tile=64, overlap=16, smallest=16)
    bicubic = resample(lr, (30, 40)).clamp(-1, 1)
    s, depth = fresh.align(lr, (30, 40))
    torch.testing.assert_close(fresh.enhance(s, depth, lr), bicubic)
    network = _smooth()
    with torch.no_grad():
        found = network.enhance(s, depth, lr)
        moved = network.enhance(s, depth, lr.flip(-1))
    assert float((found - bicubic).abs().mean()) > 0.05
    assert float((found - bicubic).mean(dim=(-2, -1)).abs().max()) < 1e-5
    # the same superpixels beside another enlargement: another residual, unless the network does not see it
    other = resample(lr.flip(-1), (30, 40)).clamp(-1, 1)
    assert not torch.allclose(moved - other, found - bicubic, atol=1e-3)
    network = _smooth(anchor="bicubic-unseen", sarm=None)  # which would see it
    with torch.no_grad():
        found, moved = network.enhance(s, depth, lr), network.enhance(s, depth, lr.flip(-1))
    torch.testing.assert_close(moved - other, found - bicubic)
    assert float((found - bicubic).abs().mean()) > 0.05


def test_phases_are_the_mean_of_images_that_begin_elsewhere(network):
    """Catches an offset that is cut at the wrong side, or that depth does not share; by numpy's own padding."""
    s, depth = network.align(_lr(9, 10), (30, 33))
    assert depth is not None
    network.settings = replace(network.settings, phases=4)
    with torch.no_grad():
        found = network.enhance(s, depth, _lr(9, 10))
        network.settings = replace(network.settings, phases=1)
        images = []
        for top, left in ((0, 0), (1, 1), (0, 1), (1, 0)):
            edges = ((0, 0), (0, 0), (top, 0), (left, 0))
            begun = [torch.from_numpy(np.pad(each.numpy(), edges, mode="reflect")) for each in (s, depth)]
            images.append(network.enhance(begun[0], begun[1], _lr(9, 10))[..., top:, left:])
    torch.testing.assert_close(found, torch.stack(images).mean(0))
    assert not torch.allclose(found, images[0], atol=1e-3)


def test_consistency_brings_every_cycle_back_to_its_input():
    network, lr = _network(), _lr(9, 10)

    def off(count: int) -> list[float]:
        images = upscale(network, lr, (60, 66), Sampling(consistency=count))
        pairs = zip([lr, *images], images, strict=False)
        return [float((resample(image, (a.shape[-2], a.shape[-1])) - a).abs().mean()) for a, image in pairs]

    far, near = off(0), off(3)
    assert len(far) == 2
    assert all(after < 0.3 * before for before, after in zip(far, near, strict=True))


def test_consistency_without_phases_is_refused():
    with pytest.raises(ValidationError, match="consistency is for phases=4"):
        CasrOptions(consistency=3)
    assert CasrOptions(consistency=3, phases=4).consistency == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"codec": "overlap", "factor": 2, "control_embedding": (4, 8)}, "needs anchor bicubic"),
        ({"codec": "overlap", "anchor": "bicubic", "decoder": (8, 8)}, "decoder of 2 entries enlarges by 2"),
        ({"anchor": "bicubic", "prediction": "epsilon"}, "prediction is epsilon"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, named):
    with pytest.raises(ValidationError, match=named):
        CasrArchitecture(**change)


# --- group 2, end to end ---


@settings(max_examples=12, deadline=None)
@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.floats(1.01, 33), st.floats(0.6, 1), st.integers(0, 1))
def test_every_size_is_reached_exactly(network, size, scale, other, axis):
    """Odd and 1-pixel-wide images, axes that grow differently. Catches padding that is carried on, a rounded size."""
    scale = min(scale, 90 / max(size))
    if scale < 1:
        scale = 1.0
    target = [max(round(length * scale), length) for length in size]
    target[axis] = max(round(target[axis] * other), size[axis])
    found = upscale(network, _lr(*size), (target[0], target[1]))
    assert [tuple(each.shape[-2:]) for each in found] == sizes(size, (target[0], target[1]))
    for each in found:
        assert each.shape[:2] == (1, 3)
        assert each.abs().max() <= 1
        assert torch.isfinite(each).all()


def test_the_lr_size_and_scale_one_need_no_cycle(network, weights):
    assert upscale(network, _lr(5, 7), (5, 7)) == []
    lr = torch.rand(3, 5, 7)
    found = _method(weights).upscale(lr, (5, 7), seed=0)
    assert torch.equal(found.image, lr)
    assert found.image is not lr
    assert found.stages == ()


def test_eighteen_is_three_cycles(weights):
    found = _method(weights, tile=64, overlap=16).upscale(torch.rand(3, 5, 6), (90, 108), seed=0)
    assert [tuple(each.shape) for each in found.stages] == [(3, 20, 24), (3, 60, 72), (3, 90, 108)]
    assert torch.equal(found.image, found.stages[-1])


def test_a_cycle_sees_the_image_before_it_and_nothing_rounds_in_between(network):
    """Catches cycles that start again from LR, and images rounded to 8 bit between cycles."""
    lr, target = _lr(6, 5), (36, 30)
    first, second = upscale(network, lr, target)
    assert torch.equal(first, cycle(network, lr, (24, 20), Sampling()))
    assert torch.equal(second, cycle(network, first, target, Sampling()))
    levels = (first / 2 + 0.5) * 255
    assert (levels - levels.round()).abs().mean() > 0.2


def test_a_network_that_changes_nothing_gives_superpixels():
    """So the image that is shown is S, and what is off shows the bicubic enlargement instead."""
    network = Casr(ARCHITECTURE).eval()
    lr = _lr(12, 9)
    s, depth = network.align(lr, (40, 30))
    (found,) = upscale(network, lr, (40, 30))
    torch.testing.assert_close(found, s, atol=1e-6, rtol=0)
    assert depth is not None
    assert depth.shape == (1, 1, 40, 30)
    (plain,) = upscale(network, lr, (40, 30), Sampling(ssam=False, depth=False))
    torch.testing.assert_close(plain, resample(lr, (40, 30)).clamp(-1, 1), atol=1e-6, rtol=0)
    kept, still = network.align(lr, (40, 30), ssam=False)
    torch.testing.assert_close(kept, plain, atol=1e-6, rtol=0)
    assert torch.equal(still, depth)
    assert network.align(lr, (40, 30), depth=False)[1] is None


@pytest.mark.parametrize("space", ["lr", "hr"])
def test_noise_drifts_less_through_superpixels(space):
    """Group 14: flat noise through three cycles of a network that changes nothing. The variance left by each cycle is
    smaller with superpixels than with bicubic enlargements. Catches switches that do the same, or the reverse."""
    architecture = ARCHITECTURE.model_copy(update={"ssam": SsamArchitecture(backend="slic", space=space)})
    network = Casr(architecture).eval()
    noise = 0.2 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    grown = {}
    for on in (True, False):
        stages = upscale(network, noise, (256, 256), Sampling(fixed=(2, 2, 2), ssam=on))
        grown[on] = [float(each.var() / noise.var()) for each in stages]
    assert all(with_ < without for with_, without in zip(grown[True], grown[False], strict=True)), grown
    assert grown[True][-1] < 0.9 * grown[False][-1], grown


@pytest.mark.parametrize("change", [{"ssam": None}, {"depth": "none"}, {"control_input": "none"}, {"sarm": None}])
def test_every_ablation_runs(change):
    network = _network(**change)
    (found,) = upscale(network, _lr(9, 8), (20, 18))
    assert found.shape == (1, 3, 20, 18)
    assert network.controlnet is None or "sarm" in change


@pytest.mark.parametrize("control", ["sp+depth", "depth3"])
def test_the_controlnet_hears_depth_and_with_sp_also_the_superpixels(control):
    network = _network(control_input=control, sarm=None)
    seen = []
    network.controlnet.register_forward_pre_hook(lambda _, args: seen.append(args[3]))
    s, depth = torch.rand(1, 3, 16, 16) * 2 - 1, torch.rand(1, 1, 16, 16)
    network.enhance(s, depth, _lr(4, 4))
    expected = torch.cat((s / 2 + 0.5, depth), 1) if control == "sp+depth" else depth.expand(-1, 3, -1, -1)
    torch.testing.assert_close(seen[0], expected)


def test_colours_come_from_the_cycle_before_enlarged(network):
    """Catches the superpixel image or the first LR image as the reference."""
    lr = _lr(5, 6)
    first, second = upscale(network, lr, (30, 36), Sampling(colour="wavelet"))
    plain = cycle(network, first, (30, 36), Sampling())
    torch.testing.assert_close(second, wavelet(plain, resample(first, (30, 36))).clamp(-1, 1))


@pytest.mark.parametrize("value", [{"policy": "single"}, {"fixed": (2.0, 3.0)}])
def test_the_plan_can_be_told(network, value):
    found = upscale(network, _lr(4, 4), (24, 24), Sampling(**value))
    assert [each.shape[-1] for each in found] == ([24] if "policy" in value else [8, 24])


# --- group 12: the same every time ---


def test_two_runs_and_other_seeds_give_the_same_image(weights):
    lr = torch.rand(3, 11, 13)
    method, other = _method(weights), _method(weights)
    first = method.upscale(lr, (50, 60), seed=0)
    torch.manual_seed(99)
    torch.rand(7)
    for again in (method.upscale(lr, (50, 60), seed=5), other.upscale(lr, (50, 60), seed=0)):
        assert torch.equal(again.image, first.image)
        assert all(torch.equal(a, b) for a, b in zip(again.stages, first.stages, strict=True))
    assert not CASR.info.stochastic


# --- the method ---


@pytest.fixture(scope="module")
def weights(tmp_path_factory, network) -> Path:
    return _write(tmp_path_factory.mktemp("casr") / "tiny.safetensors", network)


def _write(path: Path, network: nn.Module, method: str = "casr") -> Path:
    about = {"format": 1, "method": method, "architecture": network.architecture.model_dump(mode="json")}
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, path, {"assr-bench": json.dumps(about)})
    return path


def _method(path: Path | None, **options) -> CasrMethod:
    method = CasrMethod(CasrOptions(**options))
    method.load(path, CPU, torch.float32)
    return method


def test_the_file_gives_back_the_network(weights, network):
    found, notes = load_network(weights)
    assert found.architecture == network.architecture
    assert notes == ()
    held = network.state_dict()
    assert all(torch.equal(tensor, held[name]) for name, tensor in found.state_dict().items())


def test_images_are_shown_in_their_own_range(weights, network):
    """Catches [0, 1] images that are fed as [-1, 1] or the other way round."""
    lr = torch.rand(3, 8, 8)
    method = _method(weights, tile=64, overlap=16, min_side=16)
    expected = upscale(network, lr[None] * 2 - 1, (20, 20))[-1][0] / 2 + 0.5
    torch.testing.assert_close(method.upscale(lr, (20, 20), seed=0).image, expected, atol=1e-5, rtol=0)


def test_options_reach_the_network(weights):
    said = {"tile": 96, "overlap": 8, "min_side": 32, "merge": "gauss", "batch": 2, "kept": 3, "keys": 9}
    method = _method(weights, **said, sarm=False, lr_semantics=False, phases=4, consistency=2)
    assert method.sampling == Sampling(consistency=2)
    assert method.network.settings == TileSettings(
        tile=96,
        overlap=8,
        smallest=32,
        weights="gauss",
        batch=2,
        kept=3,
        keys=9,
        sarm=False,
        lr_semantics=False,
        phases=4,
    )
    plain = _method(weights).network.settings
    assert plain == replace(TileSettings(), kept=plain.kept)
    assert plain.kept > 1  # by the free memory
    method = _method(weights, policy="uniform", s_max=3, s_min=1.2, ssam=False, depth=False, colour="adain")
    assert method.sampling == Sampling(policy="uniform", s_max=3, s_min=1.2, ssam=False, depth=False, colour="adain")
    ssam = _method(weights, sp_backend="slic", sp_space="hr", sp_up="nearest").network.ssam
    assert ssam.ssn is None
    assert ssam.architecture == SsamArchitecture(width=0.1, backend="slic", space="hr", up="nearest")


@pytest.mark.parametrize("text", ["4,3,1.5", "4x3x1.5"])
def test_fixed_factors_are_typed_as_a_list(text):
    from bench.engine.choice import choose_methods

    (choice,) = choose_methods(["casr"], weights=None, overrides=[f"casr.fixed={text}"])
    assert choice.options.model_dump()["fixed"] == (4.0, 3.0, 1.5)


@pytest.mark.parametrize(
    "said",
    [
        {"polcy": "paper"},
        {"policy": "fastest"},
        {"s_min": 2.1},
        {"tile": 64, "overlap": 40},
        {"prompt": "ram"},
        {"decode_tile": 8, "decode_overlap": 5},
    ],
)
def test_unknown_and_impossible_options_are_refused(said):
    with pytest.raises(ValidationError):
        CasrOptions(**said)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"tile": 66}, "multiple of 4"),
        ({"sd_path": Path("somewhere")}, "sd_path"),
        ({"tagger": "json:loads"}, "tagger"),
        ({"overlap": 144}, "twice its overlap"),
        ({"prompt": "empty"}, r"casr\.prompt does nothing with .*learned token"),
        ({"decode_tile": 32}, r"casr\.decode_tile does nothing"),
        ({"decode_overlap": 4}, r"casr\.decode_overlap does nothing"),
    ],
)
def test_options_that_these_weights_cannot_have_are_named(weights, said, text):
    with pytest.raises(RequestError, match=text):
        _method(weights, **said)


def test_a_file_of_another_method_or_with_a_hole_is_refused(tmp_path, network):
    with pytest.raises(RequestError, match="casr"):
        load_network(_write(tmp_path / "other.safetensors", network, method="casarbi"))
    held = dict(network.state_dict())
    name = next(iter(held))
    held.pop(name)
    about = json.dumps({"method": "casr", "architecture": network.architecture.model_dump(mode="json")})
    save_file(held, tmp_path / "hole.safetensors", {"assr-bench": about})
    with pytest.raises(RequestError, match=name):
        load_network(tmp_path / "hole.safetensors")


def test_superpixels_by_the_network_need_one_in_the_weights(tmp_path):
    path = _write(tmp_path / "slic.safetensors", _network(ssam=SsamArchitecture(backend="slic")))
    _method(path)
    with pytest.raises(RequestError, match="slic"):
        _method(path, sp_backend="ssn")


def test_what_cannot_be_done_is_said(weights):
    method = _method(weights)
    with pytest.raises(RequestError, match="enlarges"):
        method.upscale(torch.rand(3, 9, 9), (8, 20), seed=0)
    with pytest.raises(RequestError, match="before its weights"):
        CasrMethod().upscale(torch.rand(3, 9, 9), (20, 20), seed=0)
    with pytest.raises(RequestError, match="do not lead"):
        _method(weights, fixed=(2.0, 2.0)).upscale(torch.rand(3, 9, 9), (27, 27), seed=0)


def test_the_key_of_a_result_follows_what_the_parts_around_it_hold(tmp_path):
    """Catches an identity by name, size and date, which `cp -p` of another checkpoint keeps."""
    sd, sam = tmp_path / "sd", tmp_path / "sam"
    for path in (sd / "unet" / "model.safetensors", sam / "model.safetensors"):
        path.parent.mkdir(parents=True)
        path.write_text("1")
        os.utime(path, ns=(10**18, 10**18))
    before = fingerprint(CasrOptions(sd_path=sd, sam_path=sam), "image", 4.0)
    for path in (sd / "unet" / "model.safetensors", sam / "model.safetensors"):
        path.write_text("2")
        os.utime(path, ns=(10**18, 10**18))
        assert fingerprint(CasrOptions(sd_path=sd, sam_path=sam), "image", 4.0) != before
        path.write_text("1")
    (sd / "sd_turbo.safetensors").write_text("all in one file, which is not read")
    (sam / "README.md").write_text("words")
    moved = sd.rename(tmp_path / "turbo")
    assert fingerprint(CasrOptions(sd_path=moved, sam_path=sam), "image", 4.0) == before
    assert fingerprint(CasrOptions(sd_path=Path("stabilityai/sd-turbo")), "image", 4.0) == ""


def test_superpixels_of_a_large_image_are_made_in_bands_and_are_the_same():
    """Catches bands that are cut too tightly for the network, or off the cells' grid."""
    torch.manual_seed(0)
    ssam = Ssam(SsamArchitecture(width=0.1, space="hr", cell=4))
    image = torch.rand(1, 3, 500, 10)
    whole = ssam._painted(resample(image, (1150, 21)).clamp(0, 1), (1150, 21))
    banded = ssam.superpixels(image, (1150, 21))
    assert ((banded - whole).abs() < 1e-5).float().mean() > 0.9999  # rounding may tip a pixel between two neighbours
    assert whole.std() > 0.05
