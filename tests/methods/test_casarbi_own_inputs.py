"""Training CasArbi on images of its own, as its stages get them in a cascade."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from bench.training.images import ImagePool
from methods.blocks.resample import resample
from methods.casarbi.architecture import CasArbiArchitecture
from methods.casarbi.cascade import Sampling, sample_stage
from methods.casarbi.network import CasArbi
from methods.casarbi.training.pairs import StageConfig
from methods.casarbi.training.task import CasArbiTask, CasArbiTrainConfig, OwnConfig

ENCODER = {"width": 8, "blocks": 1}
ARCHITECTURE = CasArbiArchitecture.model_validate(
    {"prior": {"blocks": 0, "width": 4, "hidden": [4]}, "lr_encoder": ENCODER, "hr_encoder": ENCODER}
    | {"base": 8, "mult": [1, 2], "blocks": 1, "octaves": 4, "schedule": {"steps": 2, "m": 0.2}}
)
ALWAYS = OwnConfig(start=0, share=1)


def make_task(own: OwnConfig | None) -> CasArbiTask:
    """Of one image of noise."""
    rng = np.random.default_rng(0)
    pool = ImagePool((rng.integers(0, 256, (80, 80, 3), dtype=np.uint8),), ("noise",))
    data = StageConfig(sides=(16, 32), p_fix=1, reduce=(1,))
    return CasArbiTask(CasArbiTrainConfig(batch=2, data=data, architecture=ARCHITECTURE, own=own), pool)


@pytest.fixture
def network() -> CasArbi:
    """With weights that do something, also where it begins with zeros."""
    torch.manual_seed(0)
    made = CasArbi(ARCHITECTURE)
    for parameter in made.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter, std=0.2)
    return made


def test_what_is_drawn_besides_stays_as_it_was() -> None:
    """Catches a training that sees other images, only because the option is there."""
    without, with_it = make_task(None), make_task(OwnConfig(start=0, share=0.5))
    for step in range(8):
        plain, own = without.batch(step), with_it.batch(step)
        assert "own" not in plain
        own.pop("own", None)
        assert plain.keys() == own.keys()
        assert all(torch.equal(plain[name], own[name]) for name in plain)


def test_the_share_and_the_depths_are_those_that_were_asked_for() -> None:
    """Catches a share of the wrong steps, and a first image too small to show anything."""
    task = make_task(OwnConfig(start=0, share=0.6, depth=3))
    found: Counter[tuple[int, int]] = Counter()
    for step in range(400):
        batch = task.batch(step)
        found[batch["y"].shape[-1], int(batch.get("own", torch.tensor(0)))] += 1
    share = 1 - (found[16, 0] + found[32, 0]) / found.total()
    assert share == pytest.approx(0.6, abs=0.08)
    assert {key for key in found if key[1]} == {(16, 1), (32, 1), (32, 2)}
    assert found[32, 1] == pytest.approx(found[32, 2], rel=0.5)


def test_nothing_changes_before_its_first_step() -> None:
    """Catches a training whose first part is not what it was, and a weight that never changes."""
    task = make_task(OwnConfig(start=3, share=1, perceptual=2.0))
    assert ["own" in task.batch(step) for step in range(6)] == [False] * 3 + [True] * 3
    config = task.config.model_copy(update={"perceptual": 0.5})
    assert [config.perceptual_at(step) for step in (0, 2, 3, 9)] == [0.5, 0.5, 2.0, 2.0]
    as_before = make_task(OwnConfig(start=3)).config.model_copy(update={"perceptual": 0.5})
    assert as_before.perceptual_at(9) == 0.5


def test_a_single_stage_has_no_images_of_its_own() -> None:
    """Catches a training for what never occurs."""
    with pytest.raises(ValidationError, match="never fed with an image of its own"):
        CasArbiTrainConfig.model_validate({"own": {"start": 1}, "data": {"cascade": False}})


def _noise(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_own_image_is_that_of_a_cascade(network: CasArbi) -> None:
    """Catches a stage that is fed with the true image after all, and gradients through the stages before."""
    y = torch.rand(2, 3, 17, 17, generator=_noise(1)) * 2 - 1
    made = make_task(ALWAYS).own_input(network, y, 2, _noise(5))
    assert made.shape == y.shape
    assert not made.requires_grad
    least = resample(y, (5, 5)).clamp(-1, 1)
    noise = _noise(5)
    first = sample_stage(network, least, (9, 9), least, generator=noise, sampling=Sampling())
    second = sample_stage(network, first, (17, 17), first, generator=noise, sampling=Sampling())
    torch.testing.assert_close(made, second)
    assert not torch.allclose(made, make_task(ALWAYS).own_input(network, y, 2, _noise(6)), atol=1e-3)
    assert not torch.allclose(made, y, atol=1e-1)


def test_the_loss_sees_the_own_image(network: CasArbi) -> None:
    """Catches an option that changes nothing."""
    task = make_task(ALWAYS)
    batch = task.batch(0)
    network.train()
    own = task.losses(network, batch)["loss_l1"]
    plain = task.losses(network, {name: each for name, each in batch.items() if name != "own"})["loss_l1"]
    assert own.item() != plain.item()
    own.backward()
    assert any(float(p.grad.abs().sum()) > 0 for p in network.parameters() if p.grad is not None)
