"""Group 11 of the blind model's test list: what z does to the SR network, and that without it the network is the shared
LTE baseline, from the initial weights to the trained ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from bench.api import RequestError
from bench.training.export import newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.network import BlindASSR, Modulation
from methods.blind_assr.training.stage2 import SrConfig, SrTask
from methods.blocks.arbsr import ArbSR, ArbSRArchitecture
from methods.blocks.edsr import EDSRBody
from methods.blocks.sampled import SampledConfig
from methods.lte.method import LteArchitecture
from methods.lte.training.task import LteTask, LteTrainConfig

SR = ArbSRArchitecture(blocks=3, width=6, hidden=8, layers=1)
TINY = BlindArchitecture(sr=SR, encoder=(4, 5, 6), head=8, estimator=(5, 4), modulation=7)


def _network(**changes) -> BlindASSR:
    torch.manual_seed(0)
    return BlindASSR(TINY.model_copy(update=changes)).eval()


def _loud(network: BlindASSR) -> BlindASSR:
    """Random biases and a non-trivial E, so that nothing is hidden by a zero or a small initial value."""
    generator = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    return network


def test_open_gates_are_the_plain_edsr():
    """W2's bias far up: every gain is 1. Catches a gain on the sum, a gain of 2 sigmoid, or one added instead of
    multiplied."""
    network, lr = _loud(_network()), torch.rand(2, 3, 8, 9) * 2 - 1
    for block in network.modulation.blocks:
        torch.nn.init.constant_(block[2].bias, 1e3)
    gains = network.gains(torch.randn(2, TINY.z))
    assert torch.equal(network.sr.encoder(lr, gains), network.sr.encoder(lr))
    assert torch.equal(network.sr.prepare(lr, gains).table, network.sr.prepare(lr).table)


def test_closed_gates_leave_the_skip_and_not_nothing():
    """W2's bias far down: the branch is gone, the block is the identity (a scaled sum would be zero)."""
    network, lr = _loud(_network()), torch.rand(2, 3, 8, 9) * 2 - 1
    for block in network.modulation.blocks:
        torch.nn.init.constant_(block[2].bias, -1e3)
    body = network.sr.encoder
    shallow = body.head(lr)
    passed = body(lr, network.gains(torch.randn(2, TINY.z)))
    assert torch.allclose(passed, body.body[-1](shallow) + shallow, atol=1e-6)


def test_features_are_those_of_the_formula_written_out():
    """x + body(x) * sigmoid(W2 LeakyReLU_0.01(W1 z)) per block, channel by channel, image by image."""
    network, lr = _loud(_network()).double(), torch.rand(2, 3, 5, 6, dtype=torch.float64)
    z = torch.randn(2, TINY.z, dtype=torch.float64)
    body = network.sr.encoder
    shallow = x = body.head(lr)
    for number, block in enumerate(list(body.body)[:-1]):
        first, _, second, _ = network.modulation.blocks[number]
        hidden = z @ first.weight.T + first.bias
        hidden = torch.maximum(hidden, 0.01 * hidden)
        gain = 1 / (1 + torch.exp(-(hidden @ second.weight.T + second.bias)))
        assert gain.std() > 1e-2
        branch = block.body[2](functional.relu(block.body[0](x)))
        x = torch.stack(
            [torch.stack([x[b, c] + branch[b, c] * gain[b, c] for c in range(x.shape[1])]) for b in range(2)]
        )
    assert torch.allclose(body(lr, network.gains(z)), body.body[-1](x) + shallow, atol=1e-12)


def test_every_block_has_its_own_pair_of_layers():
    """64 z-fed layers of 256 -> 64 -> 64 sixteen times: 0.330 M, not shared."""
    modulation = Modulation(256, 64, blocks=16, width=64)
    assert sum(p.numel() for p in modulation.parameters()) == 16 * (256 * 64 + 64 + 64 * 64 + 64)
    z = torch.randn(1, 256)
    gains = modulation(z)
    assert len(gains) == 16
    assert not torch.equal(gains[0], gains[1])
    assert all(gain.min() > 0 and gain.max() < 1 for gain in gains)


def test_another_z_gives_other_features_and_another_image():
    network, lr = _loud(_network()), torch.rand(1, 3, 8, 9)
    first, second = (network.gains(torch.randn(1, TINY.z)) for _ in range(2))
    features = [network.sr.encoder(lr * 2 - 1, gains) for gains in (first, second)]
    assert (features[0] - features[1]).abs().max() > 1e-3
    images = [network.sr.upsample(lr * 2 - 1, (16, 18), gains=gains) for gains in (first, second)]
    assert (images[0] - images[1]).abs().max() > 1e-4


def test_each_image_of_a_batch_is_modulated_by_its_own_z():
    network, lr = _loud(_network()).double(), torch.rand(3, 3, 8, 10, dtype=torch.float64)
    both = network.upsample(lr, (12, 15))
    alone = torch.cat([network.upsample(lr[i : i + 1], (12, 15)) for i in range(3)])
    assert torch.allclose(both, alone, atol=1e-9)


def test_without_implicit_representation_the_encoder_does_not_matter():
    network, lr = _loud(_network(implicit=False)), torch.rand(1, 3, 8, 9)
    before = network.upsample(lr, (16, 18))
    for parameter in network.encoder.parameters():
        parameter.data += 1.0
    assert network.gains(torch.randn(1, TINY.z)) is None
    assert torch.equal(network.upsample(lr, (16, 18)), before)
    modulated = _loud(_network())
    before = modulated.upsample(lr, (16, 18))
    for parameter in modulated.encoder.parameters():
        parameter.data += 1.0
    assert not torch.equal(modulated.upsample(lr, (16, 18)), before)


def test_without_implicit_representation_the_backbone_is_edsr_baseline():
    network = BlindASSR(BlindArchitecture(implicit=False))
    backbone = sum(p.numel() for p in network.sr.encoder.parameters())
    assert backbone == pytest.approx(1_220_000, rel=0.01)
    assert backbone == sum(p.numel() for p in EDSRBody(blocks=16, width=64).parameters())
    assert not any("modulation" in name for name in network.state_dict())


def test_wrong_number_of_gains_is_refused():
    with pytest.raises(ValueError, match="3 gains"):
        _network().sr.encoder(torch.rand(1, 3, 6, 6), [torch.ones(1, 6)] * 2)


def test_frozen_parts_keep_their_mode_when_the_whole_is_put_into_training():
    network = BlindASSR(TINY)
    assert network.train().sr.training
    assert not network.encoder.training
    assert not any(module.training for module in network.estimator.modules())
    drifting = BlindASSR(TINY, frozen_mode=False).train()
    assert drifting.encoder.training
    assert not any(p.requires_grad for part in (drifting.encoder, drifting.estimator) for p in part.parameters())


# the shared baseline of Table 2's last row


@pytest.mark.parametrize("implicit", [False, True])
def test_one_seed_starts_it_and_the_lte_baseline_alike(implicit):
    """Catches parts that are made before the SR network and use up random numbers."""
    torch.manual_seed(5)
    ours = BlindASSR(TINY.model_copy(update={"implicit": implicit})).sr
    torch.manual_seed(5)
    theirs = ArbSR(LteArchitecture(**SR.model_dump()))
    assert type(ours) is type(theirs)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items())


def _pool() -> ImagePool:
    rng = np.random.default_rng(0)
    images = tuple(rng.integers(0, 256, (40, 44, 3), dtype=np.uint8) for _ in range(3))
    return ImagePool(images, ("a", "b", "c"))


_LOOP = {
    "data": SampledConfig(lr_patch=11, queries=30, scale_max=3.0),
    "steps": 2,
    "batch": 3,
    "lr": 1e-2,
    "seed": 4,
    "checkpoint_every": 2,
    "log_every": 1,
}


def _trained(task, out: Path) -> dict[str, torch.Tensor]:
    make_runner(task, out).train()
    state = torch.load(newest_checkpoint(out), weights_only=True)["state_dict"]
    return {name.removeprefix("network."): tensor for name, tensor in state.items()}


@pytest.mark.parametrize("extra", [{}, {"clip": 0.05, "ema": 0.9}], ids=["plain", "clip and average"])
def test_both_switches_off_train_bit_for_bit_the_lte_baseline(tmp_path, extra):
    """Catches other batches, another loss, gradients of E or M in the clipped norm, another order of initialisation."""
    baseline = LteTask(LteTrainConfig(architecture=LteArchitecture(**SR.model_dump()), **_LOOP, **extra), _pool())
    off = TINY.model_copy(update={"implicit": False})
    ours = SrTask(SrConfig(architecture=off, cycle=False, **_LOOP, **extra), _pool())
    expected, seen = _trained(baseline, tmp_path / "lte"), _trained(ours, tmp_path / "blind")
    torch.manual_seed(4)
    initial = ArbSR(SR).state_dict()
    assert not any(torch.equal(initial[name], tensor) for name, tensor in expected.items())  # it did train
    assert {name.removeprefix("sr.") for name in seen if name.startswith("sr.")} == set(expected)
    assert all(torch.equal(seen[f"sr.{name}"], tensor) for name, tensor in expected.items())


def test_batches_are_those_of_the_baseline_under_every_mixing():
    for mixing in ("sample", "batch", "pool"):
        data = SampledConfig(lr_patch=11, queries=30, scale_max=3.0, mixing=mixing, pool=6, clean_share=0.3)
        ours = SrTask(SrConfig(architecture=TINY, **(_LOOP | {"data": data})), _pool())
        theirs = LteTask(LteTrainConfig(**(_LOOP | {"data": data})), _pool())
        for step in (0, 1, 7):
            first, second = ours.batch(step), theirs.batch(step)
            assert all(torch.equal(first[key], second[key]) for key in first.keys() | second.keys())


@pytest.mark.parametrize(("implicit", "cycle"), [(True, True), (True, False), (False, True)])
def test_every_other_combination_needs_stage_one_and_says_so(implicit, cycle):
    task = SrTask(SrConfig(architecture=TINY.model_copy(update={"implicit": implicit}), cycle=cycle, **_LOOP), _pool())
    with pytest.raises(RequestError, match="representation"):
        task.network()
