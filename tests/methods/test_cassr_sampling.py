"""CasSR's sampling (groups 6 to 8 and 11 to 13 of its list): start, steps, guidance, tiles, scales, grey."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file
from torch import nn

from bench.api import RequestError
from methods.blocks.geometry import UNetArchitecture
from methods.blocks.plan import sizes
from methods.blocks.schedule import alpha_bars
from methods.cassr.architecture import CassrArchitecture, CscArchitecture, MamArchitecture, RestorerArchitecture
from methods.cassr.cascade import stage_sizes, upscale
from methods.cassr.diffusion import Diffusion, Noise, denoise, timesteps
from methods.cassr.info import CassrOptions
from methods.cassr.latents import ResidualLatents, liveliness
from methods.cassr.method import CassrMethod
from methods.cassr.network import Cassr

CPU = torch.device("cpu")
SMALL = UNetArchitecture(channels=(8, 16), attention=(False, True), heads=(1, 2), groups=4, cross_dim=6)
TINY = CassrArchitecture(
    unet=SMALL,
    decoder=(8, 8, 8),
    mam=MamArchitecture(layers=(0, 1)),
    csc=CscArchitecture(stem=(4, 4, 8)),
    control_embedding=(4, 4, 8),
    restorer=RestorerArchitecture(blocks=1, width=4),
)
LITERAL = TINY.model_copy(update={"codec": "unshuffle", "anchor": "none", "padding": "zeros", "prediction": "v"})


def _network(architecture: CassrArchitecture = TINY, **said) -> Cassr:
    """Every layer does something."""
    torch.manual_seed(0)
    network = Cassr(architecture)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    network.settings = replace(network.settings, **({"steps": 2, "iam_steps": 2, "smallest": 16} | said))
    return network.eval()


@pytest.fixture(scope="module")
def lr() -> torch.Tensor:
    """(2, 3, 12, 9)."""
    return torch.rand(2, 3, 12, 9, generator=torch.Generator().manual_seed(5))


# --- 8: the diffusion ---


@pytest.mark.parametrize("prediction", ["epsilon", "v", "sample"])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_an_oracle_is_recovered(prediction, sampler, steps):
    """Whatever the network predicts: with the true noise, sampling ends at z0. Catches a wrong conversion or end."""
    diffusion = Diffusion("stable-diffusion", prediction)
    z0, noise = torch.randn(2, 3, 8, 8), Noise([1, 2], (3, 8, 8), CPU)
    first = torch.tensor([999])
    seen = []

    def oracle(z: torch.Tensor, t: int) -> torch.Tensor:
        seen.append(t)
        a, s = diffusion.signal_and_noise(torch.tensor([t]), z)
        return diffusion.target(z0, (z - a * z0) / s, torch.tensor([t]))

    z = diffusion.noised(torch.zeros_like(z0), noise(), first)
    found = denoise(diffusion, z, oracle, steps=steps, sampler=sampler, noise=noise)
    assert float((found - z0).abs().max()) <= 1e-4
    assert (seen[0], len(seen)) == (999, steps)
    assert seen == sorted(seen, reverse=True)


def test_steps_are_diffusers_ddim():
    """The same schedule, spacing and steps as `DDIMScheduler`. Catches steps that are one off."""
    theirs = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
    theirs.set_timesteps(20)
    assert timesteps(20) == theirs.timesteps.tolist()
    torch.testing.assert_close(torch.tensor(alpha_bars()).float(), theirs.alphas_cumprod, rtol=1e-4, atol=1e-7)
    ours, z = Diffusion("stable-diffusion", "epsilon"), torch.randn(1, 4, 8, 8)
    mine = z
    taken = timesteps(20)
    for t, before in zip(taken, [*taken[1:], -1], strict=True):
        z = theirs.step(torch.sin(z), t, z).prev_sample
        mine = ours.step(mine, torch.sin(mine), t, before)
    torch.testing.assert_close(mine, z, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("schedule", ["cosine", "stable-diffusion"])
def test_less_and_less_signal(schedule):
    alphas = Diffusion(schedule, "v").alphas
    assert alphas.shape == (1000,)
    assert bool((alphas.diff() < 0).all())
    assert alphas[0] > 0.99
    assert 0 < alphas[-1] < 0.01


# --- 6: the start ---


def test_the_start_is_the_lr_latent_under_noise():
    """Its mean is sqrt(abar) z, its variance 1 - abar, over 1e5 draws. Catches the latent added to unit noise."""
    diffusion = Diffusion("stable-diffusion", "epsilon")
    z, draws = torch.full((1, 1, 1, 1), 3.0), torch.randn(100_000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    start = diffusion.noised(z, draws, torch.tensor([999]))
    kept = 0.0046601
    assert float(start.mean()) == pytest.approx(math.sqrt(kept) * 3, abs=5 / math.sqrt(1e5))
    assert float(start.var()) == pytest.approx(1 - kept, rel=5 * math.sqrt(2 / 1e5))


def test_noise_belongs_to_the_image_not_to_the_batch():
    """Catches one generator for a batch, whose images depend on their neighbours."""
    four = Noise([7, 8, 9, 10], (3, 4, 5), CPU)()
    assert torch.equal(four[2], Noise([9], (3, 4, 5), CPU)()[0])
    assert not torch.equal(four[0], four[1])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_noise_is_the_same_on_every_device():
    """Catches noise from the device's own generator."""
    assert torch.equal(Noise([7, 8], (3, 4, 5), torch.device("cuda"))().cpu(), Noise([7, 8], (3, 4, 5), CPU)())


def test_an_image_is_the_same_in_any_batch(lr):
    network = _network(sampler="ddpm")
    both = network.upscale(lr, (48, 36), [3, 4])
    torch.testing.assert_close(network.upscale(lr[1:], (48, 36), [4]), both[1:], atol=1e-4, rtol=0)


def test_a_start_from_noise_knows_nothing_of_lr(lr):
    """Catches a switch that is ignored."""
    network = _network(LITERAL, iam="lr")
    starts = []
    network._guided = lambda z, t, tiles, predict: (starts.append(z.clone()), z)[1]
    for start in ("lr", "noise"):
        network.settings = replace(network.settings, start=start)
        for image in (lr[:1], lr[:1] * 0.2):
            network.sample(image, image, [0])
    assert not torch.equal(starts[0], starts[2])
    assert torch.equal(starts[4], starts[6])


# --- 7: guidance ---


def test_guidance_of_one_is_the_described_branch_alone(lr):
    """Catches a null branch that is computed and weighted when nobody asked; both branches see the same L and R."""
    network = _network(LITERAL, iam="lr", steps=1)
    calls = []
    real = network.predict
    network.predict = lambda z, t, c, *maps: (calls.append((z, c, *maps)), real(z, t, c, *maps))[1]
    plain = network.upscale(lr[:1], (48, 36), [0])
    assert len(calls) == 1
    assert torch.equal(calls[0][1], network.text(["described"]))
    network.settings = replace(network.settings, cfg=1.0 + 1e-7)
    torch.testing.assert_close(network.upscale(lr[:1], (48, 36), [0]), plain, atol=1e-4, rtol=0)
    z, c = calls[1][:2]
    assert torch.equal(c, network.text(["", "described"]))
    assert torch.equal(z[0], z[1])
    network.settings = replace(network.settings, cfg=5.0)
    assert not torch.allclose(network.upscale(lr[:1], (48, 36), [0]), plain, atol=1e-5)


def test_nothing_is_guided_by_nothing(tmp_path):
    """Both branches would be the same. Catches a row without a description that costs twice."""
    weights = _file(tmp_path / "w.safetensors")
    assert _method(weights, prompt="null").network.settings.cfg == 1
    assert _method(weights, cfg=3).network.settings.cfg == 3


def test_guidance_goes_beyond_the_described_branch(lr):
    """e_null + w (e_desc - e_null). Catches the reverse, and w counted from the described branch."""
    network = _network(LITERAL, iam="lr", steps=1)
    z = torch.randn(1, 48, 4, 4)
    tiles = [_whole((16, 16))]

    def by(weight: float) -> torch.Tensor:
        network.settings = replace(network.settings, cfg=weight)
        return network._guided(z, 10, tiles, lambda z, t, c, tile: c.mean(dim=(1, 2)).reshape(-1, 1, 1, 1) + 0 * z)

    null, desc = (float(network.text([word]).detach().mean()) for word in ("", "described"))
    assert float(by(3.0).detach().mean()) == pytest.approx(null + 3 * (desc - null), rel=1e-5)


def _whole(size: tuple[int, int]):
    from methods.blocks.tiles import Tile

    return Tile((0, size[0]), (0, size[1]))


# --- 11: tiles ---


def test_one_tile_is_no_tile(lr):
    network = _network()
    whole = network.upscale(lr, (48, 36), [1, 2])
    network.settings = replace(network.settings, tile=1024, overlap=256)
    assert torch.equal(network.upscale(lr, (48, 36), [1, 2]), whole)


@pytest.mark.parametrize("weights", ["gauss", "none"])
@pytest.mark.parametrize("architecture", [TINY, LITERAL], ids=["overlap", "literal"])
def test_a_model_that_looks_at_pixels_alone_does_not_see_the_tiles(weights, architecture):
    """Catches noise that is drawn per tile, tiles of L or R from elsewhere, and weights that do not add up."""
    network = _network(architecture, iam="lr", weights=weights)
    factor = network.latents.factor

    def pixelwise(z, t, c, shown, seen):
        small = nn.functional.avg_pool2d(shown + 2 * seen, factor)
        return z * 0.3 + small.mean(dim=1, keepdim=True)

    network.predict_scedit = lambda z, t, c, up: z
    network.encode_controls = lambda z, t, c, up, ref: (up, ref)
    network.predict = lambda z, t, c, up, ref: pixelwise(z, t, c, up, ref)
    image = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(3))
    network.settings = replace(network.settings, tile=512, overlap=64)
    whole = network.upscale(image, (75, 117), [0])
    network.settings = replace(network.settings, tile=32, overlap=16)
    torch.testing.assert_close(network.upscale(image, (75, 117), [0]), whole, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("lr_size", "size"), [((37, 53), (148, 212)), ((5, 7), (21, 23)), ((1, 1), (4, 4))])
def test_exact_sizes(lr_size, size):
    network = _network(tile=64, overlap=16)
    assert network.upscale(torch.rand(1, 3, *lr_size), size, [0]).shape == (1, 3, *size)


# --- 12: other scales ---


@pytest.mark.parametrize("scale", [1.3, 2, 3.7, 4, 4.2, 6, 12, 18, 30])
@pytest.mark.parametrize("arb", ["cascade", "direct", "x4_resize"])
def test_any_scale_has_its_size_and_its_passes(scale, arb, monkeypatch):
    """As many passes as the plan has; the last image is exact. Catches padded sizes that are carried on."""
    network = _network()
    passes = []
    monkeypatch.setattr(
        network, "upscale", lambda image, size, seeds: (passes.append((size, seeds)), torch.zeros(1, 3, *size))[1]
    )
    size = round(9 * scale), round(7 * scale)
    images = upscale(network, torch.rand(1, 3, 9, 7), size, [5], arb=arb)
    assert tuple(images[-1].shape[-2:]) == size
    expected = {"cascade": len(sizes((9, 7), size)), "direct": 1, "x4_resize": math.ceil(math.log(scale, 4) - 1e-9)}
    assert len(passes) == expected[arb]
    assert [each for each, _ in passes] == stage_sizes((9, 7), size, arb=arb)
    assert len({seeds[0] for _, seeds in passes}) == len(passes)


def test_what_does_not_grow_is_resized(monkeypatch):
    network = _network()
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(upscale(network, image, (8, 8), [0])[-1], image)
    monkeypatch.setattr(network, "upscale", None)
    assert upscale(network, image, (4, 6), [0])[-1].shape == (1, 3, 4, 6)


# --- 13: activation ---


@pytest.mark.parametrize("architecture", [TINY, LITERAL], ids=["overlap", "literal"])
@pytest.mark.parametrize("iam", ["scedit", "controlnet", "sr", "lr"])
def test_every_reference_has_size_and_range_and_is_used(lr, iam, architecture):
    """Catches a reference that is made and not shown."""
    network = _network(architecture, iam=iam)
    reference = network.activate(lr, (50, 37), [1, 2])
    assert reference.shape == (2, 3, 50, 37)
    assert 0 <= float(reference.min()) < float(reference.max()) <= 1
    image = network.upscale(lr, (50, 37), [1, 2])
    network.activate = lambda *_: reference.flip(-1)
    assert torch.equal(network.upscale(lr, (50, 37), [1, 2]), image) == (iam == "lr")


# --- no lattice ---


@pytest.mark.parametrize("iam", ["sr", "lr", "scedit", "controlnet"])
def test_grey_in_grey_out(iam):
    """Whatever the weights are. Catches what CASR's first weights did: a lattice painted on nothing."""
    network = _network(iam=iam)
    images = upscale(network, torch.full((1, 3, 9, 11), 0.4), (80, 97), [2])
    assert len(images) == 2
    for image in images:
        assert float((image - 0.4).abs().max()) * 255 < 0.01


def test_the_literal_codec_has_no_such_promise():
    """Why the default is another: random weights paint on grey through unshuffled pixels."""
    image = upscale(_network(LITERAL), torch.full((1, 3, 9, 11), 0.4), (36, 44), [2])[-1]
    assert float((image - 0.4).abs().max()) * 255 > 1


def test_the_mean_colour_is_the_anchors():
    latents = ResidualLatents(8.0, 1 / 255)
    up, anchor = torch.rand(1, 3, 24, 24), torch.rand(1, 3, 24, 24)
    image = latents.compose(torch.randn(1, 3, 24, 24) + 5, anchor, up)
    torch.testing.assert_close(image.mean(dim=(2, 3)), anchor.mean(dim=(2, 3)), atol=1e-5, rtol=0)


def test_details_are_let_through_where_the_enlargement_lives():
    """Above 0.9 at a spread of 4/255, zero where it is flat."""
    image = torch.full((1, 3, 40, 40), 0.5)
    image[..., 20:] += torch.randn(1, 1, 40, 20, generator=torch.Generator().manual_seed(0)) * 4 / 255
    share = liveliness(image, 1 / 255)
    assert float(share[..., :11].max()) == 0
    assert float(share[..., 30:].mean()) > 0.9
    assert bool((liveliness(image, 0.0) == 1).all())


# --- the method ---


def _file(path: Path, architecture: CassrArchitecture = TINY) -> Path:
    about = {"format": 1, "method": "cassr", "architecture": architecture.model_dump(mode="json")}
    save_file(_network(architecture).state_dict(), path, {"assr-bench": json.dumps(about)})
    return path


def _method(weights: Path, **said) -> CassrMethod:
    method = CassrMethod(CassrOptions(**({"steps": 2, "min_side": 16} | said)))
    method.load(weights, CPU, torch.float32)
    return method


def test_the_seed_decides(tmp_path, lr):
    method = _method(_file(tmp_path / "w.safetensors"))
    first = method.upscale(lr[0], (60, 45), seed=1)
    assert len(first.stages) == 2
    assert torch.equal(first.image, method.upscale(lr[0], (60, 45), seed=1).image)
    assert not torch.equal(first.image, method.upscale(lr[0], (60, 45), seed=2).image)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sd_path": Path("x")}, "sd_path"),
        ({"caption": "a cat", "prompt": "caption"}, "caption"),
        ({"negative": True}, "negative"),
        ({"scedit_ckpt": Path("x")}, "scedit_ckpt"),
        ({"iam": "sr", "iam_steps": 3}, "iam_steps"),
        ({"iam_steps": 3}, "iam_steps"),
        ({"tile": 132}, "multiple"),
        ({"iam_weights": Path("nowhere.safetensors")}, "iam_weights"),
    ],
)
def test_options_that_do_nothing_or_do_not_fit_are_refused(tmp_path, said, words):
    with pytest.raises(RequestError, match=words):
        _method(_file(tmp_path / "w.safetensors"), **said)


def test_a_start_that_changes_nothing_is_refused(tmp_path):
    file = _file(tmp_path / "w.safetensors", TINY.model_copy(update={"anchor": "bicubic"}))
    with pytest.raises(RequestError, match=r"cassr\.start"):
        _method(file, start="noise")
    with pytest.raises(RequestError, match=r"cassr\.start"):
        _method(_file(tmp_path / "v.safetensors"), start="noise", iam="lr")


@pytest.mark.parametrize(
    "said",
    [
        {"prompt": "caption"},
        {"caption": "x"},
        {"iam": "lr", "iam_weights": "x"},
        {"iam": "lr", "scedit_ckpt": "x"},
        {"iam_weights": "x", "scedit_ckpt": "x"},
        {"mam": False, "mam_lr": False},
        {"mam": False, "mam_feat": "post_zero"},
        {"mam_ref": False, "mam_lr": False, "mam_residual": False},
        {"mam_lr": False, "mam_order": "outer"},
        {"negative": True, "cfg": 1},
        {"prompt": "null", "cfg": 3},
        {"arb": "direct", "policy": "uniform"},
        {"policy": "single"},
        {"arb": "x4_resize", "s_max": 3.0},
        {"tile": 64, "overlap": 48},
        {"decode_tile": 16, "decode_overlap": 12},
        {"guidance": 3},
    ],
)
def test_options_that_contradict_each_other_are_refused(said):
    with pytest.raises(ValueError, match=r"."):
        CassrOptions(**said)
