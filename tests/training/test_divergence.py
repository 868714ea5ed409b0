"""A training that diverges: it stops at the first loss that is no number, and what was good stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import typer
import yaml
from typer.testing import CliRunner

from bench.api import RequestError
from bench.cli.train import register
from bench.imaging import write_png
from bench.training.divergence import Diverged
from bench.training.export import export_weights, newest_checkpoint
from bench.training.images import ImagePool
from bench.training.runner import make_runner
from methods.blocks.sampled import QueryConfig
from methods.liif.architecture import LiifArchitecture
from methods.liif.training.task import LiifTask, LiifTrainConfig

_RAMP = np.stack([np.linspace(0, 255, 1600).astype(np.uint8).reshape(40, 40)] * 3, axis=-1)


def _config(**changes: object) -> LiifTrainConfig:
    values = {
        "architecture": LiifArchitecture(blocks=1, width=6, hidden=(12,)),
        "data": QueryConfig(lr_patch=8, queries=32, scale_max=2.0),
        "steps": 6,
        "batch": 2,
        "checkpoint_every": 2,
        "log_every": 2,
        "ema": None,
    }
    return LiifTrainConfig.model_validate(values | changes)


class _Breaks(LiifTask):
    """LIIF whose loss is not finite from a step on."""

    at = 4
    value = float("nan")
    drawn = 0

    def losses(self, network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.drawn += 1
        loss = super().losses(network, batch)["loss"]
        return {"loss": loss * self.value if self.drawn >= self.at else loss}


def _task(kind: type[LiifTask] = _Breaks, **changes: object) -> LiifTask:
    return kind(_config(**changes), ImagePool((_RAMP,), ("made/ramp.png",), (), ("made",)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_first_loss_that_is_not_finite_ends_the_training(value: float, accumulate: int, tmp_path: Path) -> None:
    """Catches a loop that goes on to the last step, and an update by a gradient of nothing."""
    task = _task(accumulate=accumulate)
    task.value, task.at = value, 3 * accumulate + 1
    runner = make_runner(task, tmp_path / "run")
    seen: list[torch.Tensor] = []
    step = runner.model.train_step

    def watched(*words: object, **named: object) -> object:
        seen.append(next(runner.model.parameters()).detach().clone())
        return step(*words, **named)

    runner.model.train_step = watched
    with pytest.raises(Diverged, match=f"loss is {value}"):
        runner.train()
    assert (runner.iter, len(seen)) == (3, 4)
    assert torch.equal(next(runner.model.parameters()), seen[-1])
    assert newest_checkpoint(tmp_path / "run").name == "iter_2.pth"
    assert export_weights(tmp_path / "run", tmp_path / "w.safetensors").steps == 2


def test_the_last_good_checkpoint_stays_where_only_one_is_kept(tmp_path: Path) -> None:
    """Catches a good checkpoint that makes room for weights that are none."""
    task = _task(LiifTask, keep_checkpoints=1, checkpoint_every=1, steps=3)
    runner = make_runner(task, tmp_path / "run")
    step = runner.model.train_step

    def spoiling(*words: object, **named: object) -> object:
        told = step(*words, **named)
        if runner.iter == 1:
            next(runner.model.parameters()).data.fill_(float("nan"))
        return told

    runner.model.train_step = spoiling
    with pytest.raises(Diverged, match=r"tensor 'network\.\S+' holds values that are not finite"):
        runner.train()
    assert newest_checkpoint(tmp_path / "run").name == "iter_1.pth"
    assert export_weights(tmp_path / "run", tmp_path / "w.safetensors").steps == 1


def test_a_checkpoint_of_before_that_is_not_finite_is_not_exported(tmp_path: Path) -> None:
    """Catches 36 of 36 non-finite tensors, exit 0, and a card with Infinity."""
    runner = make_runner(_task(LiifTask, steps=2), tmp_path / "run")
    runner.train()
    path = newest_checkpoint(tmp_path / "run")
    stored = torch.load(path, weights_only=True)
    name = next(name for name in stored["state_dict"] if name.startswith("network."))
    stored["state_dict"][name].fill_(float("inf"))
    torch.save(stored, path)
    with pytest.raises(RequestError, match="not finite"):
        export_weights(tmp_path / "run", tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()
    assert not (tmp_path / "w.json").exists()


@pytest.mark.parametrize("content", [b"", b"noise", None, "a list"])
def test_a_damaged_checkpoint_is_named_without_advice_to_load_it_unsafely(content, tmp_path: Path) -> None:
    """Catches torch's own text, which tells how to run what is in a file."""
    runner = make_runner(_task(LiifTask, steps=1), tmp_path / "run")
    runner.train()
    path = newest_checkpoint(tmp_path / "run")
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content if content is None else [1, 2], path)
    for act in (
        lambda: export_weights(tmp_path / "run", tmp_path / "w.safetensors"),
        lambda: make_runner(_task(LiifTask, steps=2), tmp_path / "run", resume=True).train(),
    ):
        with pytest.raises(RequestError, match=r"iter_1\.pth") as refused:
            act()
        assert "weights_only" not in str(refused.value)


def test_the_command_says_step_and_checkpoint_and_ends_with_1(tmp_path: Path) -> None:
    """Catches exit code 0, and a message without what to type next."""
    images = tmp_path / "images"
    images.mkdir()
    write_png(images / "a.png", _RAMP)
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(_config(checkpoint_every=1).model_dump(mode="json")))
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    words = [
        "train",
        "liif",
        "--out",
        str(tmp_path / "run"),
        "--data",
        str(images),
        "--config",
        str(tmp_path / "c.yaml"),
    ]
    done = CliRunner().invoke(app, [*words, "--set", "lr=1e30", "--set", "clip=null", "--device", "cpu"])
    assert done.exit_code == 1, done.output
    assert "the training diverged at step 2: loss is" in done.output or "not finite" in done.output
    assert not (tmp_path / "run" / "weights.safetensors").exists()
