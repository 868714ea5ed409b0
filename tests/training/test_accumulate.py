"""A batch in parts is the batch, and activations computed again are those that were kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.api import RequestError
from bench.training.config import TrainConfig
from bench.training.export import newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from bench.training.task import Batch, TaskModel, TrainingTask, split

POOL = ImagePool((np.zeros((8, 8, 3), np.uint8),), ("made/flat.png",), (), ("made",))


class PlainTask(TrainingTask[TrainConfig]):
    """y = f(x), with a loss that is no sum over samples' losses unless parts are weighted alike."""

    method = "plain"
    Config = TrainConfig
    configs = Path()

    def network(self) -> nn.Module:
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        x = torch.from_numpy(rng.standard_normal((12, 3), dtype=np.float32))
        return {"x": x, "y": x[:, :2].roll(1, 1), "twice": torch.tensor(2.0)}

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        return {"loss": batch["twice"] * (network(batch["x"]) - batch["y"]).square().mean()}

    def architecture(self) -> dict:
        return {}


class GameTask(PlainTask):
    """The same with a critic that is shown every part."""

    def critic(self) -> nn.Module:
        return nn.Linear(2, 1)

    def against(self, network: nn.Module, critic: nn.Module, batch: Batch) -> tuple[dict[str, torch.Tensor], Batch]:
        fake = network(batch["x"])
        return {"loss_fooled": -critic(fake).mean()}, {"fake": fake.detach(), "real": batch["y"]}

    def critic_losses(self, critic: nn.Module, shown: Batch) -> dict[str, torch.Tensor]:
        return {"loss_critic": critic(shown["fake"]).mean() - critic(shown["real"]).tanh().mean()}


def _trained(kind: type[PlainTask], out: Path, accumulate: int) -> dict[str, torch.Tensor]:
    config = TrainConfig(steps=5, batch=12, lr=1e-2, clip=0.5, accumulate=accumulate, checkpoint_every=5)
    make_runner(kind(config, POOL), out).train()
    return torch.load(newest_checkpoint(out), weights_only=True)["state_dict"]


@pytest.mark.parametrize("kind", [PlainTask, GameTask])
@pytest.mark.parametrize("parts", [2, 3, 12])
def test_a_batch_in_parts_makes_the_same_steps(kind, parts, tmp_path):
    """Catches gradients that are summed, a step per part, clipping part by part, and a critic that sees one part."""
    whole, accumulated = _trained(kind, tmp_path / "whole", 1), _trained(kind, tmp_path / "parts", parts)
    assert whole.keys() == accumulated.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(accumulated[name], tensor, rtol=1e-4, atol=1e-6)


def test_parts_hold_every_sample_once_and_share_what_has_none():
    batch = PlainTask(TrainConfig(batch=12), POOL).batch(0)
    parts = split(batch, 4, size=12)
    assert torch.equal(torch.cat([part["x"] for part in parts]), batch["x"])
    assert all(part["twice"] is batch["twice"] for part in parts)
    assert [len(part["y"]) for part in parts] == [3] * 4
    assert split(batch, 1, size=12) == [batch]
    with pytest.raises(ValueError, match="has 7 samples"):
        split(batch, 7, size=7)


def test_parts_that_are_not_equal_are_refused():
    with pytest.raises(ValueError, match="3 of 8"):
        TrainConfig(batch=8, accumulate=3)


def test_losses_that_are_logged_are_those_of_the_whole_batch():
    task = PlainTask(TrainConfig(batch=12, accumulate=3), POOL)
    model = TaskModel(task)
    seen = [float(task.losses(model.network, part)["loss"]) for part in split(task.batch(0), 3, size=12)]
    whole = float(task.losses(model.network, task.batch(0))["loss"])
    assert np.mean(seen) == pytest.approx(whole, rel=1e-5)
    assert np.std(seen) > 1e-3


def test_gradient_checkpointing_is_refused_where_nobody_heeds_it(tmp_path):
    with pytest.raises(RequestError, match="'plain' cannot recompute"):
        make_runner(PlainTask(TrainConfig(gradient_checkpointing=True), POOL), tmp_path / "run")
