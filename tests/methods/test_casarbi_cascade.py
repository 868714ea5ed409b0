"""Sampling through the cascade (groups 6, 9, 11 and 17 of CasArbi's list) and the method as the harness sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bench.api import RequestError, derive_seed
from methods.blocks.resample import resample
from methods.casarbi import cascade
from methods.casarbi.architecture import CasArbiArchitecture, EncoderArchitecture, ScheduleArchitecture
from methods.casarbi.cascade import Sampling, sample_stage, upscale
from methods.casarbi.diffusion import EtaSchedule
from methods.casarbi.info import CasArbiOptions
from methods.casarbi.method import CasArbiMethod, load_network
from methods.casarbi.network import CasArbi
from methods.casarbi.plan import plan, stage_scale
from methods.liif.architecture import LiifArchitecture
from methods.liif.method import LIIF

STEPS = 3
FREE = Sampling(scg="off")


def _architecture(**said) -> CasArbiArchitecture:
    return CasArbiArchitecture(
        **(
            {
                "prior": LiifArchitecture(blocks=1, width=4, hidden=(8,)),
                "lr_encoder": EncoderArchitecture(width=4, blocks=1),
                "hr_encoder": EncoderArchitecture(width=4, blocks=0),
                "base": 8,
                "mult": (1, 2),
                "blocks": 1,
                "octaves": 2,
                "schedule": ScheduleArchitecture(steps=STEPS, m=0.2),
            }
            | said
        )
    )


def _network(gain: float = 0.4, **said) -> CasArbi:
    """Random in every layer, also those that training starts at zero; noise shows, and residuals reach beyond 1."""
    torch.manual_seed(11)
    network = CasArbi(_architecture(**said)).eval()
    for parameter in network.denoiser.parameters():
        nn.init.normal_(parameter, std=0.15)
    with torch.no_grad():
        network.denoiser.head.weight[:, :3] *= 4
    network.gain.fill_(gain)
    return network


@pytest.fixture(scope="module")
def network() -> CasArbi:
    return _network()


def _lr(height: int = 4, width: int = 4, *, batch: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def _generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class _Stub(nn.Module):
    """A denoiser of one's own; it is given r_t as it is, not normalised."""

    def __init__(self, network: CasArbi, predict: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.schedule, self.predict = network.shift.schedule, predict

    base = 1

    def still(self, lr_features, hr_features, *, place=None):
        return lr_features, hr_features, place

    def step(self, r, still, t, scale):
        lr_features, hr_features, (_, rows, columns) = still
        spread = (self.schedule.kappa**2 * float(self.schedule.eta[int(t[0])]) + 1) ** 0.5
        return self.predict(r * spread, lr_features, hr_features, int(t[0]), (slice(*rows), slice(*columns)))


def _stubbed(predict: Callable[..., torch.Tensor], **said) -> CasArbi:
    network = _network(**said)
    network.denoiser = _Stub(network, predict)
    return network


# --- group 6: what the chain does to a known prediction ---


@pytest.mark.parametrize("gain", [1.0, 15.0])
@pytest.mark.parametrize("domain", [True, False])
@pytest.mark.parametrize("scg", ["off", "prev"])
def test_a_denoiser_that_knows_the_answer_gives_it(gain, domain, scg):
    """Catches a gain that is put on and not taken off, noise in the last step, guidance of what is consistent."""
    x0 = _lr(9, 11, seed=3)
    y = resample(x0, (5, 6))
    network = _stubbed(lambda *_: network.residual(x0, u), gain=gain, residual_domain=domain)
    u = network.anchor(y, (9, 11))
    found = sample_stage(
        network, y, (9, 11), None if scg == "off" else y, generator=_generator(), sampling=Sampling(scg=scg)
    )
    torch.testing.assert_close(found, x0, atol=1e-5, rtol=0)


def test_sampling_of_residuals_is_sampling_of_images_moved_by_the_anchor():
    """Catches a prior sample or a step that holds in one domain only. The same guess of the image in both."""
    y = _lr(5, 6)
    u = _network().anchor(y, (9, 11))

    def guess(image: torch.Tensor) -> torch.Tensor:
        return torch.tanh(image.roll(1, -1) * 0.7 - 0.1)

    moved = _stubbed(lambda r, *_: guess(r + u) - u, gain=1.0)
    plain = _stubbed(lambda r, *_: guess(r), gain=1.0, residual_domain=False)
    one, other = (
        sample_stage(each, y, (9, 11), y, generator=_generator(), sampling=Sampling()) for each in (moved, plain)
    )
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@torch.no_grad()
def test_without_a_prediction_the_cascade_is_that_of_its_prior():
    """A LIIF row for free. Catches an anchor from another stage, and rounding between stages."""
    torch.manual_seed(0)
    network = CasArbi(_architecture()).eval()  # untrained: f = 0
    network.gain.fill_(7.0)
    lr = _lr()
    expected, y = [], lr
    for size in [(8, 8), (16, 16), (21, 23)]:
        y = network.prior.upsample(y, size).clamp(-1, 1)
        expected.append(y)
    found = upscale(network, lr, (21, 23), seed=1, sampling=FREE)
    assert len(found) == 3
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


# --- the sampler, written down once more ---


def _slowly(network: CasArbi, lr: torch.Tensor, size: tuple[int, int], seed: int, scg: str, rho: float) -> torch.Tensor:
    """Section 3.4 of the specification, with autograd for the guidance and one forward pass per line."""
    table = EtaSchedule(STEPS, p=0.3, kappa=2.0, m=0.2).eta.tolist()
    g, y = float(network.gain), lr
    for number, (height, width) in enumerate(plan((lr.shape[-2], lr.shape[-1]), size), start=1):
        draw = torch.Generator().manual_seed(derive_seed(seed, "stage", number))
        u = network.prior.upsample(y, (height, width)).clamp(-1, 1)
        r = g * (resample(y, (height, width)) - u) + 2 * table[STEPS] ** 0.5 * torch.randn(u.shape, generator=draw)
        reference = lr if scg == "lr" else y
        small = (reference.shape[-2], reference.shape[-1])
        for t in range(STEPS, 0, -1):
            maps = resample(network.lr_encoder(y), (height, width)), network.hr_encoder(u)
            told = torch.tensor([t]), torch.tensor([stage_scale((y.shape[-2], y.shape[-1]), (height, width))])
            with torch.no_grad():
                r0 = network.denoiser(r / (4 * table[t] + 1) ** 0.5, *maps, *told)
            x = (u + r0 / g).requires_grad_()
            if scg != "off":
                loss = (resample(x, small) - reference).square().sum()
                length = rho * (height / small[0]) * (width / small[1]) / 2
                x = x - length * torch.autograd.grad(loss, x)[0]
            r0 = g * (x.detach().clamp(-1, 1) - u)
            alpha = table[t] - table[t - 1]
            r = table[t - 1] / table[t] * r + alpha / table[t] * r0
            if t > 1:
                r = r + 2 * (table[t - 1] / table[t] * alpha) ** 0.5 * torch.randn(u.shape, generator=draw)
        y = (u + r / g).clamp(-1, 1).detach()
    return y


@pytest.mark.parametrize(("scg", "rho"), [("off", 0.5), ("prev", 0.5), ("prev", 1.2), ("lr", 0.5)])
def test_sampling_is_the_written_algorithm(network, scg, rho):
    """Catches guidance by the wrong image, a scale of the wrong stage, a clamp that is missing, steps out of order."""
    lr = _lr(5, 6)
    found = upscale(network, lr, (13, 17), seed=9, sampling=Sampling(scg=scg, rho=rho))
    expected = _slowly(network, lr, (13, 17), 9, scg, rho)
    torch.testing.assert_close(found[-1], expected, atol=5e-5, rtol=0)
    assert float(found[-1].std()) > 0.05


def test_guidance_brings_the_image_closer_to_its_reference_and_rho_zero_is_off(network):
    lr = _lr(5, 6)
    off, none, prev = (
        upscale(network, lr, (10, 12), seed=2, sampling=each)[-1]
        for each in (FREE, Sampling(rho=0.0), Sampling(rho=1.0))
    )
    assert torch.equal(off, none)
    assert float((resample(prev, (5, 6)) - lr).norm()) < 0.7 * float((resample(off, (5, 6)) - lr).norm())


def test_the_first_stage_is_guided_by_the_lr_image_either_way(network):
    lr = _lr(5, 6)
    prev, first = (upscale(network, lr, (18, 20), seed=2, sampling=Sampling(scg=each)) for each in ("prev", "lr"))
    assert torch.equal(prev[0], first[0])
    assert not torch.equal(prev[1], first[1])


def test_sampling_leaves_no_gradient_behind(network):
    """Guidance is a step on the image: no parameter takes part in it."""
    with torch.enable_grad():
        image = upscale(network, _lr(), (8, 8), seed=0, sampling=Sampling())[-1]
    assert not image.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


# --- group 9: seeds and prefixes ---


@pytest.mark.parametrize("scg", ["off", "lr", "prev"])
def test_targets_that_share_their_first_stages_share_them_bit_for_bit(network, scg):
    """x5.3 and x7. Catches noise that depends on the target, on the number of stages, or on a global generator."""
    lr, sampling = _lr(), Sampling(scg=scg)
    small, large = (upscale(network, lr, (side, side), seed=4, sampling=sampling) for side in (21, 28))
    assert [each.shape[-1] for each in small] == [8, 16, 21]
    assert [each.shape[-1] for each in large] == [8, 16, 28]
    for index in (0, 1):
        assert torch.equal(small[index], large[index])


def test_a_seed_is_the_image_and_another_seed_another(network):
    """Catches one generator for all calls, and use of the global one."""
    lr = _lr()
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = upscale(network, lr, (8, 8), seed=4, sampling=FREE)[-1]
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert torch.equal(upscale(network, lr, (8, 8), seed=4, sampling=FREE)[-1], first)
    assert float((upscale(network, lr, (8, 8), seed=5, sampling=FREE)[-1] - first).abs().max()) > 0.01


def test_every_stage_has_noise_of_its_own_and_one_draw_per_step(monkeypatch, network):
    """Catches the same noise in all stages, noise at t = 1, and none in the prior sample."""
    drawn, randn = [], torch.randn
    monkeypatch.setattr(torch, "randn", lambda *args, **said: drawn.append(randn(*args, **said)) or drawn[-1])
    upscale(network, _lr(), (12, 12), seed=4, sampling=FREE)
    assert [each.shape[-1] for each in drawn] == [8] * STEPS + [12] * STEPS
    assert all(each.dtype == torch.float32 for each in drawn)
    assert len({float(each.flatten()[0]) for each in drawn}) == 2 * STEPS


def test_a_batch_of_two_is_two_singles(monkeypatch, network):
    """Catches statistics over the batch, and one scale, step or noise for all."""
    y, size = _lr(5, 6, batch=2), (9, 11)
    noises = [torch.randn((2, 3, *size), generator=_generator(index)) for index in range(STEPS)]

    def stage(part: slice) -> torch.Tensor:
        left = [each[part] for each in noises]
        monkeypatch.setattr(torch, "randn", lambda *args, **said: left.pop(0))
        return sample_stage(network, y[part], size, y[part], generator=_generator(), sampling=Sampling())

    both = stage(slice(0, 2))
    assert not torch.equal(both[0], both[1])
    for index in (0, 1):
        torch.testing.assert_close(stage(slice(index, index + 1))[0], both[index], atol=1e-4, rtol=0)


# --- stages ---


@pytest.mark.parametrize("strategy", ["remainder-last", "remainder-first", "uniform"])
def test_stages_have_the_sizes_of_the_plan_and_stay_in_range(network, strategy):
    found = upscale(network, _lr(4, 5), (11, 14), seed=0, sampling=Sampling(strategy=strategy))
    assert [tuple(each.shape) for each in found] == [(1, 3, *size) for size in plan((4, 5), (11, 14), strategy)]
    assert all(float(each.abs().max()) <= 1 for each in found)


def test_without_cascade_there_is_one_stage_of_the_whole_scale(network):
    """Table VII. Catches a network that is told the scale of a stage that does not happen."""
    told = []
    handle = network.denoiser.embedding.register_forward_pre_hook(lambda _, args: told.append(float(args[1][0])))
    found = upscale(network, _lr(), (20, 20), seed=0, sampling=Sampling(cascade=False))
    assert [each.shape[-1] for each in found] == [20]
    assert told == [5.0] * STEPS
    told.clear()
    upscale(network, _lr(), (10, 10), seed=0, sampling=FREE)
    handle.remove()
    assert told == pytest.approx([2.0] * STEPS + [1.25] * STEPS)


def test_the_size_itself_needs_no_stage_and_a_smaller_one_is_refused(network):
    assert upscale(network, _lr(), (4, 4), seed=0, sampling=Sampling()) == []
    with pytest.raises(ValueError, match="at least 4 x 4, got 3 x 8"):
        upscale(network, _lr(), (3, 8), seed=0, sampling=Sampling())


# --- groups 11 and 17: chunks, windows, tiles ---


@pytest.mark.parametrize("frame", ["image", "patch"])
def test_one_tile_that_covers_the_canvas_is_the_untiled_image(frame):
    """Bit for bit. Catches weights of a single tile that are not 1, and tiles that always pad."""
    network, lr = _network(coord_frame=frame), _lr(9, 11)
    whole = upscale(network, lr, (17, 21), seed=3, sampling=Sampling())[-1]
    tiled = upscale(network, lr, (17, 21), seed=3, sampling=Sampling(max_pixels=1, tile=21, overlap=4))[-1]
    assert torch.equal(tiled, whole)


def test_tiles_are_those_of_canvases_above_the_limit_only(network):
    lr, tiles = _lr(9, 11), {"tile": 16, "overlap": 4}
    whole = upscale(network, lr, (18, 22), seed=3, sampling=Sampling())[-1]
    assert torch.equal(
        upscale(network, lr, (18, 22), seed=3, sampling=Sampling(max_pixels=18 * 22, **tiles))[-1], whole
    )
    cut = upscale(network, lr, (18, 22), seed=3, sampling=Sampling(max_pixels=18 * 22 - 1, **tiles))[-1]
    assert not torch.equal(cut, whole)
    again = upscale(network, lr, (18, 22), seed=3, sampling=Sampling(max_pixels=18 * 22 - 1, **tiles))[-1]
    assert torch.equal(cut, again)


@pytest.mark.parametrize(("tile", "overlap"), [(16, 4), (10, 0), (12, 32)])
@pytest.mark.parametrize("kept", [True, False])
def test_tiles_of_a_denoiser_without_statistics_change_nothing(monkeypatch, tile, overlap, kept):
    """Catches features, noise or places of another tile, per-tile noise, and weights that do not sum to 1."""
    place = torch.arange(40.0)

    def local(r, lr_features, hr_features, t, at):
        where = (place[at[0]][:, None] - place[at[1]]) / 40
        return torch.tanh(0.3 * r + lr_features[:, :3] - 0.5 * hr_features[:, 1:] + where + 0.1 * t)

    network, lr = _stubbed(local), _lr(17, 14)
    whole = upscale(network, lr, (31, 27), seed=3, sampling=Sampling())[-1]
    if not kept:
        monkeypatch.setattr(cascade, "_CACHED", 0)
    tiled = upscale(network, lr, (31, 27), seed=3, sampling=Sampling(max_pixels=1, tile=tile, overlap=overlap))[-1]
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=0)


def test_features_of_a_window_are_those_of_the_whole_image(monkeypatch, network):
    """Catches a halo of less than the receptive field, and one that wraps or is cut off at the border."""
    encoder, image = network.lr_encoder, _lr(23, 19)
    kept = cascade._Features(encoder, image)
    monkeypatch.setattr(cascade, "_CACHED", 0)
    made = cascade._Features(encoder, image)
    assert made.whole is None
    whole = encoder(image)
    for rows, columns in [
        ((0, 23), (0, 19)),
        ((9, 13), (8, 9)),
        ((0, 3), (15, 19)),
        ((20, 23), (0, 1)),
        ((3, 20), (5, 7)),
    ]:
        wanted = whole[..., slice(*rows), slice(*columns)]
        assert torch.equal(kept.window(rows, columns), wanted)
        torch.testing.assert_close(made.window(rows, columns), wanted, atol=1e-6, rtol=0)
    reach = encoder.reach
    seen = torch.autograd.functional.jacobian(lambda x: encoder(x)[0, :, 11, 9].sum(), image)[0].abs().sum(0)
    rows, columns = torch.nonzero(seen, as_tuple=True)
    assert (int(rows.min()), int(rows.max())) == (11 - reach, 11 + reach)
    assert (int(columns.min()), int(columns.max())) == (9 - reach, 9 + reach)


def test_features_that_are_not_kept_are_made_again_and_the_same(monkeypatch, network):
    lr, tiles = _lr(17, 14), Sampling(max_pixels=1, tile=16, overlap=4)
    kept = [upscale(network, lr, (31, 27), seed=3, sampling=each)[-1] for each in (Sampling(), tiles)]
    monkeypatch.setattr(cascade, "_CACHED", 0)
    made = [upscale(network, lr, (31, 27), seed=3, sampling=each)[-1] for each in (Sampling(), tiles)]
    for one, other in zip(kept, made, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_chunks_and_windows_of_the_prior_do_not_change_the_cascade(monkeypatch, network):
    lr = _lr(7, 6)
    whole = upscale(network, lr, (20, 17), seed=3, sampling=Sampling())[-1]
    for chunk, tile in [(1, 256), (37, 256), (8192, 2)]:
        monkeypatch.setattr(cascade, "_PRIOR_TILE", tile)
        found = upscale(network, lr, (20, 17), seed=3, sampling=Sampling(chunk=chunk))[-1]
        torch.testing.assert_close(found, whole, atol=1e-4, rtol=0)


# --- the method ---


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, network: CasArbi) -> Path:
    return _write(tmp_path_factory.mktemp("weights") / "tiny.safetensors", network, "casarbi")


def _write(path: Path, network: nn.Module, method: str) -> Path:
    about = {"format": 1, "method": method, "architecture": network.architecture.model_dump(mode="json")}
    save_file(dict(network.state_dict()), path, {"assr-bench": json.dumps(about)})
    return path


def _method(path: Path, **options) -> CasArbiMethod:
    method = CasArbiMethod(CasArbiOptions(**options))
    method.load(path, torch.device("cpu"), torch.float32)
    return method


def test_the_file_gives_back_the_network_with_its_gain(weights, network):
    found = load_network(weights)
    assert found.architecture == network.architecture
    assert float(found.gain) == pytest.approx(0.4)
    assert all(torch.equal(tensor, network.state_dict()[name]) for name, tensor in found.state_dict().items())


def test_images_are_zero_to_one_outside_and_stages_are_those_of_the_cascade(weights, network):
    """Catches a range that is shifted once only, and options that do not arrive."""
    lr = _lr() / 2 + 0.5
    found = _method(weights, scg="lr", rho=0.9).upscale(lr[0], (9, 11), seed=6)
    inside = upscale(network, lr * 2 - 1, (9, 11), seed=6, sampling=Sampling(scg="lr", rho=0.9))
    assert [tuple(each.shape) for each in found.stages] == [(3, 8, 8), (3, 9, 11)]
    for stage, expected in zip(found.stages, inside, strict=True):
        torch.testing.assert_close(stage, expected[0] / 2 + 0.5, atol=1e-6, rtol=0)
    assert torch.equal(found.image, found.stages[-1])
    assert found.image.dtype == torch.float32
    assert float(found.image.min()) >= 0
    assert float(found.image.max()) <= 1


def test_options_reach_the_sampler_by_their_names():
    said = {"strategy": "uniform", "cascade": False, "scg": "off", "rho": 1.5}
    said |= {"max_pixels": 7, "tile": 48, "overlap": 5, "chunk": 99}
    assert CasArbiMethod(CasArbiOptions(samples=3, **said)).sampling == Sampling(**said)
    assert CasArbiMethod().sampling.rho == 0.5
    assert CasArbiMethod().sampling.scg == "prev"


def test_several_samples_are_their_mean_and_their_spread_is_the_stage(weights):
    """Catches samples of one seed, a spread of n - 1, and a mean of the last few."""
    lr = _lr()[0] / 2 + 0.5
    single = _method(weights)
    ones = [single.upscale(lr, (7, 9), seed=derive_seed(6, "sample", each)).image.numpy() for each in range(3)]
    found = _method(weights, samples=3).upscale(lr, (7, 9), seed=6)
    np.testing.assert_allclose(found.image.numpy(), np.mean(ones, axis=0), atol=1e-6)
    (spread,) = found.stages
    np.testing.assert_allclose(spread.numpy(), np.std(np.float64(ones), axis=0), atol=1e-5)
    assert float(spread.mean()) > 0.01
    assert found.image.dtype == spread.dtype == torch.float32


@pytest.mark.parametrize("samples", [1, 2])
def test_the_size_of_the_lr_image_gives_it_back(weights, samples):
    lr = _lr()[0] / 2 + 0.5
    found = _method(weights, samples=samples).upscale(lr, (4, 4), seed=0)
    torch.testing.assert_close(found.image, lr)
    assert found.image.data_ptr() != lr.data_ptr()
    assert all(float(each.max()) == 0 for each in found.stages)


@pytest.mark.parametrize("size", [(3, 8), (8, 3)])
def test_sizes_below_the_lr_image_are_refused(weights, size):
    with pytest.raises(RequestError, match=f"at least 4 x 4.*got {size[0]} x {size[1]}"):
        _method(weights).upscale(_lr()[0], size, seed=0)


def test_no_weights_is_an_error_that_says_what_to_do():
    with pytest.raises(RequestError, match="bench train casarbi"):
        CasArbiMethod().load(None, torch.device("cpu"), torch.float32)
    with pytest.raises(RequestError, match="before its weights"):
        CasArbiMethod().upscale(_lr()[0], (8, 8), seed=0)


def test_weights_of_another_method_are_refused_both_ways(tmp_path, weights, network):
    other = _write(tmp_path / "other.safetensors", network.prior, "liif")
    with pytest.raises(RequestError, match="liif"):
        _method(other)
    with pytest.raises(RequestError, match="casarbi"):
        LIIF().load(weights, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    "wrong", [{"rho": 2.0}, {"rho": -0.1}, {"samples": 0}, {"tile": 8}, {"scg": "hr"}, {"strategy": "last"}, {"t": 15}]
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises((ValueError, RequestError)):
        CasArbiOptions(**wrong)


def test_training_goes_on_after_an_image_was_made_in_the_same_process(weights):
    """Catches matrices that were made in inference mode and kept: no gradient may pass through them ever after."""
    _method(weights).upscale(_lr(5, 5)[0], (7, 7), seed=0)
    features = _lr(5, 5).requires_grad_()
    resample(features, (7, 7)).sum().backward()
    assert features.grad is not None
