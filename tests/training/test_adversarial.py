"""The game of a network and its critic on the shared loop: two turns a step, two optimisers, exact resume."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from bench.training.config import ScheduleConfig, TrainConfig
from bench.training.export import export_weights, newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from bench.training.task import Batch, TrainingTask

BEGIN = 2
"""The first step at which the critic plays."""


class GameTask(TrainingTask[TrainConfig]):
    """y = f(x) against a critic of (x, y); the critic joins later."""

    method = "game"
    Config = TrainConfig
    configs = Path()

    def network(self) -> nn.Module:
        return nn.Linear(3, 2)

    def critic(self) -> nn.Module:
        return spectral_norm(nn.Linear(2, 1))

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        x = torch.from_numpy(rng.standard_normal((4, 3), dtype=np.float32))
        return {"x": x, "real": x[:, :2] * 2 + 1, "step": torch.tensor(step)}

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        raise AssertionError("with a critic the loop asks for `against`")

    def against(self, network: nn.Module, critic: nn.Module, batch: Batch) -> tuple[dict[str, torch.Tensor], Batch]:
        fake = network(batch["x"])
        losses = {"loss_near": ((fake - batch["real"]) ** 2).mean()}
        if int(batch["step"]) < BEGIN:
            return losses, {}
        losses["loss_fooled"] = -critic(fake).mean()
        return losses, {"fake": fake.detach(), "real": batch["real"]}

    def critic_losses(self, critic: nn.Module, shown: Batch) -> dict[str, torch.Tensor]:
        return {"loss_critic": (1 + critic(shown["fake"])).relu().mean() + (1 - critic(shown["real"])).relu().mean()}

    def architecture(self) -> dict:
        return {}


def _task(**changes) -> GameTask:
    values = {
        "steps": 6,
        "batch": 4,
        "lr": 1e-2,
        "schedule": ScheduleConfig(kind="cosine", warmup=1),
        "ema": 0.9,
        "clip": 1.0,
        "weight_decay": 0.01,
        "checkpoint_every": 1,
        "keep_checkpoints": 9,
        "log_every": 1,
    }
    image = np.zeros((8, 8, 3), np.uint8)
    return GameTask(TrainConfig(**(values | changes)), ImagePool((image,), ("made/flat.png",), (), ("made",)))


def _state(path: Path) -> dict:
    return torch.load(path, weights_only=True)


def _run(out: Path, **changes) -> Path:
    make_runner(_task(**changes), out).train()
    return out


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return _run(tmp_path_factory.mktemp("game") / "run")


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_are_those_of_two_plain_optimisers(tmp_path, clip, decay):
    """Catches a critic that keeps the gradients of the network's turn, plays first, sees the updated network's images,
    shares an optimiser or a gradient norm, and weight decay that is not AdamW's."""
    schedule = ScheduleConfig(kind="halving", milestones=(0.5,))
    out = _run(tmp_path / "run", ema=None, clip=clip, weight_decay=decay, schedule=schedule)
    task = _task()
    torch.manual_seed(task.config.seed)
    network, critic = task.network(), task.critic()
    kind = torch.optim.AdamW if decay else torch.optim.Adam
    first, second = (kind(each.parameters(), lr=1e-2, weight_decay=decay) for each in (network, critic))
    for step in range(6):
        for optimiser in (first, second):
            optimiser.param_groups[0]["lr"] = 1e-2 * (0.5 if step >= 3 else 1)
            optimiser.zero_grad()
        losses, shown = task.against(network, critic, task.batch(step))
        sum(losses.values()).backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        first.step()
        if step < BEGIN:
            assert not shown
            continue
        second.zero_grad()
        task.critic_losses(critic, shown)["loss_critic"].backward()
        if clip:
            nn.utils.clip_grad_norm_(critic.parameters(), clip)
        second.step()
    wanted = {f"network.{k}": v for k, v in network.state_dict().items()}
    wanted |= {f"critic.{k}": v for k, v in critic.state_dict().items()}
    found = _state(newest_checkpoint(out))["state_dict"]
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_critic_that_is_shown_nothing_stays_as_it_was(whole):
    """Weight decay would move it, the network's turn would advance the norm of its weights."""
    torch.manual_seed(0)
    task = _task()
    task.network()
    fresh = task.critic().state_dict()
    for step, same in ((1, True), (BEGIN, True), (BEGIN + 1, False)):
        # with averaging, the trained weights are stored beside the averaged ones
        seen = _state(whole / f"iter_{step}.pth")["ema_state_dict"]
        found = {name: torch.equal(seen[f"module.critic.{name}"], tensor) for name, tensor in fresh.items()}
        assert all(found.values()) == same, (step, found)


@pytest.mark.parametrize("step", [1, BEGIN, 4])
def test_resumed_game_is_the_uninterrupted_one_bit_for_bit(whole, tmp_path, step):
    """Before, at and after the step at which the critic joins: both networks, both optimisers, both schedules."""
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    for path in out.glob("iter_*.pth"):
        if int(path.stem.removeprefix("iter_")) > step:
            path.unlink()
    (out / "last_checkpoint").write_text(str(out / f"iter_{step}.pth"))
    make_runner(_task(), out, resume=True).train()
    resumed, straight = _state(out / "iter_6.pth"), _state(whole / "iter_6.pth")
    for part in ("state_dict", "ema_state_dict"):
        assert resumed[part].keys() == straight[part].keys()
        assert all(torch.equal(resumed[part][name], tensor) for name, tensor in straight[part].items())
    assert resumed["optimizer"].keys() == straight["optimizer"].keys() == {"network", "critic"}
    for side, wanted in straight["optimizer"].items():
        found = resumed["optimizer"][side]
        assert found["param_groups"] == wanted["param_groups"]
        assert found["state"].keys() == wanted["state"].keys() != set()
        for key, moments in wanted["state"].items():
            assert all(torch.equal(found["state"][key][name], tensor) for name, tensor in moments.items())


def test_log_tells_both_sides_and_the_total_is_the_networks(whole):
    import json

    lines = [json.loads(line) for path in whole.glob("*/vis_data/scalars.json") for line in path.open()]
    assert len(lines) == 6
    assert ["loss_critic" in line for line in lines] == [step >= BEGIN for step in range(6)]
    for line in lines:
        assert line["loss"] == pytest.approx(line["loss_near"] + line.get("loss_fooled", 0.0), rel=1e-4)


def test_critic_is_stored_and_not_exported(whole, tmp_path):
    card = export_weights(whole, tmp_path / "w.safetensors")
    assert load_file(tmp_path / "w.safetensors").keys() == {"weight", "bias"}
    assert card.parameters == 8
    assert any(name.startswith("critic.") for name in _state(newest_checkpoint(whole))["state_dict"])
