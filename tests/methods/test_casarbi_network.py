"""The network of a stage: coordinates (group 12 of CasArbi's list), UNet and adapter (13), noise augmentation (14),
parameter counts (15)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from bench.api import RequestError
from bench.training.images import ImagePool
from methods.blocks.coordinates import make_coord
from methods.blocks.resample import resample
from methods.casarbi.architecture import CasArbiArchitecture, EncoderArchitecture, ScheduleArchitecture
from methods.casarbi.coordinates import CoordinateEncoder, coord_map
from methods.casarbi.info import CASARBI
from methods.casarbi.network import CasArbi, Denoiser
from methods.casarbi.training.pairs import StageConfig
from methods.casarbi.training.task import CasArbiTask, CasArbiTrainConfig
from methods.casarbi.unet import SFT, Attention, ResBlock, TimeScaleEmbedding, sinusoids
from methods.liif.architecture import LiifArchitecture
from methods.liif.network import LIIFNetwork

LITE = CasArbiArchitecture(
    prior=LiifArchitecture(blocks=6, width=32, hidden=(128, 128, 128)),
    lr_encoder=EncoderArchitecture(width=24, blocks=4),
    hr_encoder=EncoderArchitecture(width=24, blocks=2),
    base=24,
    mult=(1, 2, 3),
    blocks=1,
    octaves=6,
)


def _tiny(**said) -> CasArbiArchitecture:
    small = EncoderArchitecture(width=4, blocks=0)
    return CasArbiArchitecture(
        **(
            {
                "prior": LiifArchitecture(blocks=1, width=4, hidden=(8,)),
                "lr_encoder": small,
                "hr_encoder": small,
                "base": 8,
                "mult": (1, 2),
                "blocks": 1,
                "octaves": 2,
                "schedule": ScheduleArchitecture(steps=4, m=0.2),
            }
            | said
        )
    )


def _perturbed(module: nn.Module, skip: Callable[[str], bool] = lambda name: False) -> nn.Module:
    """No layer at zero any more: what starts there would hide what comes before."""
    torch.manual_seed(7)
    for name, parameter in module.named_parameters():
        if not skip(name):
            nn.init.normal_(parameter, std=0.2)
    return module.eval()


def _inputs(size: tuple[int, int], batch: int = 1, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(batch, channels, *size) for channels in (3, 4, 4)]
    return *(torch.randn(shape, generator=generator) for shape in shapes), torch.tensor([2] * batch)


def _told(value: float, batch: int = 1) -> torch.Tensor:
    return torch.full((batch,), value)


# --- group 12: coordinates ---


def test_coordinates_are_pixel_centres_rows_first():
    """Catches corners at -1 and 1, and x before y."""
    coord = coord_map((5, 8))
    assert coord.shape == (1, 2, 5, 8)
    assert coord[0, 0, :, 3].tolist() == pytest.approx([-0.8, -0.4, 0.0, 0.4, 0.8])
    assert float(coord[0, 1, 0, 0]) == pytest.approx(-(1 - 1 / 8))
    assert float(coord[0, 1, 0, -1]) == pytest.approx(1 - 1 / 8)
    torch.testing.assert_close(coord[0].permute(1, 2, 0).reshape(-1, 2), make_coord((5, 8)).float())


def test_coordinates_of_a_part_are_a_slice_and_go_on_beyond_the_image():
    """Catches a part that begins at -1 again, and padding that repeats the last centre."""
    whole = coord_map((50, 40))
    assert torch.equal(coord_map((50, 40), rows=(7, 19), columns=(30, 40)), whole[..., 7:19, 30:40])
    beyond = coord_map((50, 40), rows=(47, 53), columns=(0, 44))
    np.testing.assert_allclose(np.diff(beyond[0, 0, :, 0].numpy()), 2 / 50, atol=1e-6)
    np.testing.assert_allclose(np.diff(beyond[0, 1, 0].numpy()), 2 / 40, atol=1e-6)
    assert float(beyond[0, 0, -1, 0]) == pytest.approx(-1 + (2 * 52 + 1) / 50)


def test_fourier_features_are_sines_and_cosines_of_every_octave_and_the_coordinates():
    """Catches octaves from 2 pi, cosines alone, and one axis taken twice."""
    encoder = CoordinateEncoder(3, 8)
    assert encoder.layers[0].in_channels == 14
    encoder.layers = nn.Identity()
    coord = coord_map((4, 5))
    found = encoder(coord)[0]
    wanted = [coord[0, axis] for axis in (0, 1)]
    for octave in range(3):
        for axis in (0, 1):
            angle = coord[0, axis].double() * math.pi * 2**octave
            wanted += [angle.sin().float(), angle.cos().float()]
    assert found.shape[0] == len(wanted)
    for channel in wanted:
        assert min(float((channel - each).abs().max()) for each in found) < 1e-5


@pytest.mark.parametrize("frame", ["image", "patch"])
def test_a_part_is_told_its_place_only_where_coordinates_span_the_image(frame):
    """Catches faces whose tiles all look like whole faces, and scenes that mean something by their place."""
    denoiser, seen = Denoiser(_tiny(coord_frame=frame)).eval(), []
    denoiser.coordinates.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    *maps, t = _inputs((7, 9))
    with torch.no_grad():
        denoiser(*maps, t, _told(2), place=((40, 50), (13, 20), (41, 50)))
        denoiser(*maps, t, _told(2))
    own = coord_map((7, 9), rows=(0, 8), columns=(0, 10))
    placed = coord_map((40, 50), rows=(13, 21), columns=(41, 51))
    torch.testing.assert_close(seen[0], placed if frame == "image" else own)
    torch.testing.assert_close(seen[1], own)


# --- group 13: the UNet ---


@given(size=st.tuples(st.integers(33, 97), st.integers(33, 97)))
@settings(max_examples=6, deadline=None)
def test_any_size_comes_back(size):
    denoiser = Denoiser(_tiny(mult=(1, 2, 2))).eval()
    *maps, t = _inputs(size)
    with torch.no_grad():
        assert denoiser(*maps, t, _told(1.5)).shape == (1, 3, *size)


@pytest.mark.parametrize("size", [(2, 2), (3, 7), (1, 5), (5, 1)])
def test_sides_too_short_to_be_reflected_come_back_too(size):
    """Catches a reflection of more pixels than there are."""
    denoiser = _perturbed(Denoiser(_tiny(mult=(1, 2, 2))))
    *maps, t = _inputs(size)
    with torch.no_grad():
        found = denoiser(*maps, t, _told(1.5))
    assert found.shape == (1, 3, *size)
    assert bool(torch.isfinite(found).all())


def test_odd_sizes_are_reflected_at_the_right_and_bottom():
    """Catches zeros, both sides, and coordinates of the padded size."""
    denoiser = _perturbed(Denoiser(_tiny(mult=(1, 2, 2), coord_frame="image")))
    *maps, t = _inputs((9, 10))
    padded = [functional.pad(each, (0, 2, 0, 3), mode="reflect") for each in maps]
    with torch.no_grad():
        found = denoiser(*maps, t, _told(1.5))
        wanted = denoiser(*padded, t, _told(1.5), place=((9, 10), (0, 12), (0, 12)))
    assert float(wanted.abs().max()) > 0.01
    torch.testing.assert_close(found, wanted[..., :9, :10])


def test_an_untrained_network_predicts_nothing_so_that_the_image_is_the_priors():
    network = CasArbi(_tiny()).eval()
    *maps, t = _inputs((8, 8))
    predicted = network.denoiser(*maps, t, _told(2))
    assert float(predicted.detach().abs().max()) == 0
    u = torch.rand(1, 3, 8, 8)
    assert torch.equal(network.image(predicted, u), u)


def test_without_adapter_nothing_of_it_is_left():
    """Table VIII. Catches modulation by something else, and an encoder of coordinates that is trained for nothing."""
    names = [name for name, _ in CasArbi(_tiny(coord_adapter=False)).named_parameters()]
    assert not [name for name in names if "adapter" in name or "sft" in name or "coordinates" in name]
    full = [name for name, _ in CasArbi(_tiny()).named_parameters()]
    assert set(names) < set(full)
    denoiser = _perturbed(Denoiser(_tiny(coord_adapter=False, coord_frame="image")))
    *maps, t = _inputs((8, 8))
    with torch.no_grad():
        here = denoiser(*maps, t, _told(2), place=((64, 64), (0, 8), (0, 8)))
        there = denoiser(*maps, t, _told(2), place=((64, 64), (40, 48), (16, 24)))
    assert torch.equal(here, there)


def test_the_transform_starts_as_the_identity_so_the_adapter_does_not_matter_yet():
    """Catches a transform without its 1, and one whose last layer is not at zero."""
    denoiser = _perturbed(Denoiser(_tiny()), skip=lambda name: ".sft." in name)
    *maps, t = _inputs((8, 8))
    with torch.no_grad():
        before = denoiser(*maps, t, _told(2))
        nn.init.normal_(denoiser.adapter.levels[0][0].after[1].weight)
        nn.init.normal_(denoiser.coordinates.layers[0].weight)
        assert torch.equal(denoiser(*maps, t, _told(2)), before)
        _perturbed(denoiser.unet.down.levels[1][0].sft)
        after = denoiser(*maps, t, _told(2))
        nn.init.normal_(denoiser.coordinates.layers[0].weight)
        assert float((denoiser(*maps, t, _told(2)) - after).abs().max()) > 1e-4
    assert float((after - before).abs().max()) > 1e-4


def test_step_and_scale_matter_after_one_step_of_training():
    """Catches an embedding that nothing listens to, and one of t alone."""
    denoiser = Denoiser(_tiny())
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=0.02)
    *maps, t = _inputs((8, 8), batch=2)
    for _ in range(2):  # the first moves the layer that starts at zero, the second what it hid
        optimiser.zero_grad()
        functional.l1_loss(denoiser(*maps, t, _told(2, 2)), torch.randn(2, 3, 8, 8)).backward()
        optimiser.step()
    with torch.no_grad():
        usual = denoiser(*maps, t, _told(2, 2))
        assert float((denoiser(*maps, t + 1, _told(2, 2)) - usual).abs().max()) > 1e-5
        assert float((denoiser(*maps, t, _told(1.3, 2)) - usual).abs().max()) > 1e-5
    assert all(parameter.grad is not None for parameter in denoiser.parameters())


def test_adapter_gives_one_map_per_modulated_block_and_mirrors_the_encoder():
    """Catches maps taken before their block, of another level, or for the decoder."""
    denoiser = Denoiser(_tiny(mult=(1, 2, 2), blocks=2))
    modulated = [block for block in denoiser.unet.modules() if isinstance(block, ResBlock) and block.sft is not None]
    inside = [block for level in denoiser.unet.down.levels for block in level]
    assert [id(block) for block in modulated] == [id(block) for block in inside]
    ours, theirs = ({n: p.shape for n, p in half.named_parameters()} for half in (denoiser.adapter, denoiser.unet.down))
    assert ours == {name: shape for name, shape in theirs.items() if ".sft." not in name}
    made, _ = denoiser.adapter(torch.randn(1, 8, 16, 16), torch.randn(1, 32))
    assert [each.shape[1:] for each in made] == [(8, 16, 16)] * 2 + [(16, 8, 8)] * 2 + [(16, 4, 4)] * 2


def test_images_of_a_batch_do_not_see_each_other():
    denoiser = _perturbed(Denoiser(_tiny(attention=True)))
    *maps, _ = _inputs((9, 8), batch=2)
    t, scale = torch.tensor([1, 4]), torch.tensor([2.0, 1.2])
    with torch.no_grad():
        both = denoiser(*maps, t, scale)
        for index in (0, 1):
            one = slice(index, index + 1)
            alone = denoiser(*(each[one] for each in maps), t[one], scale[one])
            torch.testing.assert_close(alone, both[one], atol=1e-4, rtol=1e-4)


def test_embedding_is_of_the_step_and_of_a_thousand_times_the_logarithm_of_the_scale():
    """Catches the natural logarithm, a scale that is not multiplied, and both codes in one place."""
    embedding = TimeScaleEmbedding(8)
    assert embedding.layers[2].out_features == 32
    embedding.layers = nn.Sequential(nn.Linear(1, 1))  # only its dtype is asked for
    embedding.layers.forward = lambda code: code
    code = embedding(torch.tensor([3.0]), torch.tensor([1.5]))[0]
    wanted = []
    for value in (3.0, 1000 * math.log2(1.5)):
        angles = [value * 10_000 ** (-index / 4) for index in range(4)]
        wanted += [math.cos(angle) for angle in angles] + [math.sin(angle) for angle in angles]
    assert code.tolist() == pytest.approx(wanted, abs=1e-3)
    assert sinusoids(torch.zeros(2), 6).tolist() == [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]] * 2


def test_modulations_are_scale_and_shift():
    """Catches gamma without its 1, beta for gamma, FiLM after the transform, one condition for both."""
    block = _perturbed(ResBlock(8, 16, 5, modulated=True))
    features, embedding, condition = torch.randn(2, 8, 4, 4), torch.randn(2, 5), torch.randn(2, 16, 4, 4)
    gamma, beta = block.film[1](functional.silu(embedding)).split(16, dim=1)
    inner = block.norm(block.before[2](functional.silu(block.before[0](features))))
    inner = inner * (1 + gamma[..., None, None]) + beta[..., None, None]
    sft = block.sft
    inner = inner + inner * sft.gamma(condition) + sft.beta(condition)
    wanted = block.skip(features) + block.after[1](functional.silu(inner))
    torch.testing.assert_close(block(features, embedding, condition), wanted)
    assert block.before[0].num_groups == block.norm.num_groups == 8
    hidden = sft.gamma[0](condition)
    torch.testing.assert_close(
        sft.gamma(condition), sft.gamma[2](torch.where(hidden > 0, hidden, 0.1 * hidden)), atol=1e-5, rtol=1e-5
    )
    fresh = SFT(16)
    assert torch.equal(fresh(condition, features.repeat(1, 2, 1, 1)), condition)


def test_attention_is_softmax_over_all_pixels_per_head():
    """Catches heads cut across channels, attention over channels, and a missing root of the width."""
    attention = _perturbed(Attention(16))
    features = torch.randn(2, 16, 3, 5)
    q, k, v = attention.qkv(attention.norm(features)).flatten(2).split(16, dim=1)
    heads = []
    for head in range(4):
        part = slice(4 * head, 4 * head + 4)
        share = torch.softmax(torch.einsum("bcp,bcq->bpq", q[:, part], k[:, part]) / math.sqrt(4), dim=-1)
        heads.append(torch.einsum("bpq,bcq->bcp", share, v[:, part]))
    wanted = features + attention.out(torch.cat(heads, dim=1).unflatten(-1, (3, 5)))
    torch.testing.assert_close(attention(features), wanted, atol=1e-5, rtol=1e-4)


def test_the_prior_stays_frozen_and_in_evaluation_mode():
    network = CasArbi(_tiny()).train()
    assert network.training
    assert network.denoiser.training
    assert not network.prior.training
    assert not any(parameter.requires_grad for parameter in network.prior.parameters())
    assert not network.anchor(torch.rand(1, 3, 4, 4, requires_grad=True), (6, 6)).requires_grad


def test_the_anchor_is_the_priors_image_within_the_range():
    network, y = CasArbi(_tiny()), torch.rand(2, 3, 5, 4) * 2 - 1
    for parameter in network.prior.parameters():
        nn.init.normal_(parameter, std=1.0)
    with torch.no_grad():
        image = network.prior.upsample(y, (9, 8))
    assert float(image.abs().max()) > 1
    assert torch.equal(network.anchor(y, (9, 8)), image.clamp(-1, 1))


@pytest.mark.parametrize("chunk", [1, 777])
@pytest.mark.parametrize("tile", [None, 1, 3])
def test_chunks_and_windows_of_the_prior_change_nothing(chunk, tile):
    network, y = CasArbi(_tiny()), torch.rand(1, 3, 7, 6) * 2 - 1
    torch.testing.assert_close(
        network.anchor(y, (11, 13), chunk=chunk, tile=tile), network.anchor(y, (11, 13)), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("wrong", [{"base": 12}, {"mult": ()}, {"blocks": 0}, {"coord_frame": "tile"}, {"bias": True}])
def test_architectures_that_make_no_network_are_refused(wrong):
    with pytest.raises(ValidationError):
        CasArbiArchitecture(**wrong)


# --- group 14: noise augmentation, and the loss ---


def _task(pool: ImagePool | None = None, **said) -> CasArbiTask:
    pool = pool or ImagePool((np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8),), ("noise",))
    data = StageConfig(sides=(8,), reduce=(1,))
    return CasArbiTask(CasArbiTrainConfig(**({"batch": 2, "data": data, "architecture": _tiny()} | said)), pool)


@pytest.mark.parametrize(("steps", "published"), [(3, 0.353), (5, 0.583)])
@pytest.mark.parametrize("length", [4, 15])
def test_augmentation_has_the_noise_of_the_table_over_the_gain(steps, published, length):
    """Catches the index taken in another T's table, noise that the gain does not shrink, and variance for deviation."""
    schedule = ScheduleArchitecture(steps=length, m=0.2)
    task, network = _task(aug_steps=steps, architecture=_tiny(schedule=schedule)), CasArbi(_tiny())
    network.gain.fill_(15.0)
    y, noise = torch.rand(2, 3, 100, 100), torch.randn(2, 3, 100, 100, generator=torch.Generator().manual_seed(0))
    added = task.augmented(network, y, noise) - y
    assert float(added.std()) == pytest.approx(published / 15, rel=4 / math.sqrt(2 * added.numel()) + 1e-3)
    assert abs(float(added.mean())) < 4 * published / 15 / math.sqrt(added.numel())


@pytest.mark.parametrize(
    ("said", "training", "encoder_noisy", "anchor_noisy"),
    [
        ({}, True, True, False),
        ({}, False, False, False),
        ({"aug": False}, True, False, False),
        ({"aug_target": "all"}, True, True, True),
        ({"aug_target": "all"}, False, False, False),
    ],
)
def test_noise_goes_to_the_lr_encoder_alone_and_only_in_training(
    monkeypatch, said, training, encoder_noisy, anchor_noisy
):
    """Catches a noisy anchor, noise in validation, a noisy l0, and noise that is drawn but not used."""
    task, network = _task(**said), CasArbi(_tiny()).train(training)
    batch, seen = task.batch(0), {}
    clean = {name: each.clone() for name, each in batch.items()}
    network.lr_encoder.register_forward_pre_hook(lambda module, args: seen.update(encoder=args[0]))
    anchor, lr_residual = network.anchor, network.lr_residual
    monkeypatch.setattr(network, "anchor", lambda y, size: seen.update(anchor=y) or anchor(y, size))
    monkeypatch.setattr(network, "lr_residual", lambda y, u: seen.update(l0=y) or lr_residual(y, u))
    task.losses(network, batch)
    noisy = task.augmented(network, clean["y"], clean["aug"])
    assert torch.equal(seen["encoder"], noisy if encoder_noisy else clean["y"])
    for name in ("anchor", "l0"):
        assert torch.equal(seen[name], noisy if anchor_noisy else clean["y"])
    assert all(torch.equal(batch[name], clean[name]) for name in batch)


def test_loss_is_the_mean_absolute_error_of_the_residual_in_gained_units():
    """An untrained network predicts 0, so its loss is the mean of |g (x0 - u)|."""
    task, network = _task(), CasArbi(_tiny())
    network.gain.fill_(3.0)
    batch = task.batch(1)
    u = network.anchor(batch["y"], (batch["x0"].shape[-2], batch["x0"].shape[-1]))
    loss = task.losses(network, batch)["loss_l1"]
    assert float(loss.detach()) == pytest.approx(3 * float((batch["x0"] - u).abs().mean()), rel=1e-5)


def test_perceptual_term_sees_the_predicted_image_through_a_window_of_the_step():
    """Catches the residual in place of the image, windows that differ between the two, and one for all steps."""
    task, network, seen = _task(perceptual=0.5, shift=3, zoom=1.0), CasArbi(_tiny()), []
    task._distance = nn.Module()
    task._distance.smallest_side = 4
    task._distance.forward = lambda image, truth: (seen.append((image, truth)), image.mean((1, 2, 3)))[1]
    batch = task.batch(1)
    found = task.losses(network, batch)
    assert float(found["loss_perceptual"].detach()) == pytest.approx(0.5 * float(seen[0][0].detach().mean()), rel=1e-5)
    # an untrained network predicts no residual: its image is the anchor, near the truth where both are cut alike
    image, truth = (each.detach() for each in seen[0])
    assert image.shape[-1] == batch["x0"].shape[-1] - 3
    assert float((image - truth).abs().mean()) < float((image - truth.flip(-1)).abs().mean())
    task.losses(network, batch)
    assert torch.equal(seen[1][1], truth)
    shown = {tuple(seen[-1][1].flatten()[:2].tolist()) for step in range(8) if task.losses(network, _at(batch, step))}
    assert len(shown) > 3
    assert "loss_perceptual" not in _task().losses(network, batch)
    task._distance.smallest_side = min(batch["x0"].shape[-2:]) - 2
    assert set(task.losses(network, batch)) == {"loss_l1"}, "a window that the network cannot see is no crash"


def _at(batch: dict[str, torch.Tensor], step: int) -> dict[str, torch.Tensor]:
    return {**batch, "step": torch.tensor(step)}


def test_training_and_sampling_ask_the_denoiser_the_same():
    """Catches features that are enlarged otherwise, a scale the other way up, and inputs that are not normalised."""
    task, network = _task(), _perturbed(CasArbi(_tiny()))
    batch, seen = task.batch(2), []
    network.denoiser.register_forward_pre_hook(lambda module, args: seen.append(args))
    y, x0, t, noise = (batch[name] for name in ("y", "x0", "t", "noise"))
    size = (x0.shape[-2], x0.shape[-1])
    with torch.no_grad():
        u = network.anchor(y, size)
        task.losses(network, batch)
        eta = network.shift.schedule.eta[t].reshape(-1, 1, 1, 1).float()
        r0, l0 = network.gain * (x0 - u), network.gain * (resample(y, size) - u)
        r = r0 + eta * (l0 - r0) + 2 * eta.sqrt() * noise
        expected = (
            r / (4 * eta + 1).sqrt(),
            resample(network.lr_encoder(y), size),
            network.hr_encoder(u),
            t,
            torch.full((2,), size[0] / y.shape[-2]),
        )
    for found, wanted in zip(seen[0], expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


# --- the gain and the prior of a training ---


def _black_prior(path: Path, architecture: LiifArchitecture) -> Path:
    """A LIIF whose image is 0, mid-grey."""
    network = LIIFNetwork(architecture)
    nn.init.zeros_(network.decoder.imnet.layers[-1].weight)
    nn.init.zeros_(network.decoder.imnet.layers[-1].bias)
    about = {"format": 1, "method": "liif", "architecture": architecture.model_dump(mode="json")}
    save_file(dict(network.state_dict()), path, {"assr-bench": json.dumps(about)})
    return path


@pytest.mark.parametrize(("level", "gain"), [(140, 1 / (140 / 127.5 - 1)), (128, 20), (255, 1)])
def test_gain_is_one_over_the_spread_of_the_residual_within_one_and_twenty(tmp_path, level, gain):
    pool = ImagePool((np.full((40, 40, 3), level, dtype=np.uint8),), ("flat",))
    task = _task(pool, prior=_black_prior(tmp_path / "prior.safetensors", _tiny().prior), batch=64)
    assert float(task.network().gain) == pytest.approx(gain, rel=1e-4)
    fixed = _task(pool, prior=tmp_path / "prior.safetensors", residual_gain=1)
    assert float(fixed.network().gain) == 1


def test_a_prior_that_is_missing_or_of_another_shape_is_named(tmp_path):
    with pytest.raises(RequestError, match="--set prior=FILE"):
        _task().network()
    path = _black_prior(tmp_path / "prior.safetensors", LiifArchitecture(blocks=0, width=4, hidden=(8,)))
    with pytest.raises(RequestError, match=r"prior\.safetensors.*blocks=0.*blocks=1"):
        _task(prior=path).network()


# --- group 15: sizes ---


def _count(module: nn.Module, part: str = "") -> int:
    return sum(parameter.numel() for name, parameter in module.named_parameters() if part in name)


def test_parameter_counts_are_those_of_the_specification():
    """Counted part by part, so that two errors cannot cancel."""
    with torch.device("meta"):
        faces, lite = CasArbi(CasArbiArchitecture(attention=True, coord_frame="image")), CasArbi(LITE)
    assert _count(faces) == pytest.approx(36.4e6, rel=0.03)
    assert _count(faces) - _count(faces.prior) == pytest.approx(34.9e6, rel=0.01)
    assert _count(faces.prior) == 1_567_299
    assert _count(faces.lr_encoder) == _count(faces.hr_encoder) == pytest.approx(1.22e6, rel=0.01)
    down = faces.denoiser
    assert _count(down.adapter) + _count(down.coordinates) == pytest.approx(6.69e6, rel=0.01)
    assert _count(down.unet, ".sft.") == pytest.approx(0.61e6, rel=0.01)
    trunk = _count(down.unet) - _count(down.unet, ".sft.") + _count(down.head) + _count(down.embedding)
    assert trunk == pytest.approx(25.11e6, rel=0.01)
    assert _count(lite) == CASARBI.info.parameters
    assert _count(lite) == pytest.approx(1.48e6, rel=0.01)
    assert _count(lite.denoiser.adapter) + _count(lite.denoiser.coordinates) == pytest.approx(0.19e6, rel=0.05)
    assert _count(lite.denoiser.unet, ".sft.") == pytest.approx(0.02e6, rel=0.25)


def test_general_scenes_differ_from_faces_by_the_attention_alone():
    with torch.device("meta"):
        faces, scenes = (CasArbi(CasArbiArchitecture(attention=each)) for each in (True, False))
    assert scenes.denoiser.unet.attention is None
    assert _count(faces) - _count(scenes) == _count(faces.denoiser.unet.attention)
