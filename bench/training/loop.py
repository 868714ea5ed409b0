"""mmengine's loops with two changes: a resumed run starts at its step without redrawing the past, and validation is
the task's own.

`IterBasedTrainLoop` reaches the step of a resumed run by drawing and dropping every earlier batch; here a batch is a
function of its step, so the sampler simply starts there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.runner import BaseLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader, Dataset, Sampler

from bench.training.task import Batch, TaskModel, TrainingTask
from bench.training.validation import SetValidation


class StepBatches(Dataset[dict[str, Batch]]):
    """Whole batches as the model's `inputs`, indexed by training step."""

    metainfo: dict[str, Any] = {}  # noqa: RUF012 - mmengine reads it as a plain attribute

    def __init__(self, task: TrainingTask[Any]) -> None:
        self.task = task

    def __len__(self) -> int:
        return self.task.config.steps

    def __getitem__(self, step: int) -> dict[str, Batch]:
        return {"inputs": self.task.batch(step)}


class StepSampler(Sampler[int]):
    """The steps from `start` on."""

    def __init__(self, steps: int) -> None:
        self.start, self.steps = 0, steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.steps))

    def __len__(self) -> int:
        return self.steps - self.start


def step_loader(task: TrainingTask[Any], *, workers: int = 0) -> DataLoader[dict[str, Batch]]:
    """A loader of whole batches in the order of the steps."""
    return DataLoader(StepBatches(task), batch_size=None, sampler=StepSampler(task.config.steps), num_workers=workers)


class StepTrainLoop(IterBasedTrainLoop):
    """Trains from the runner's step to the last one."""

    def run(self) -> Any:
        """Train; validates where the interval says so."""
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        sampler = self.dataloader.sampler
        if not isinstance(sampler, StepSampler):
            raise TypeError("StepTrainLoop needs a loader made by step_loader")
        sampler.start = self._iter
        for batch in self.dataloader:
            self.runner.model.train()
            self.run_iter(batch)
            due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if self.runner.val_loop is not None and due:
                self.runner.val_loop.run()
            if self.stop_training:
                break
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model


class TaskValLoop(BaseLoop):
    """Validates through the task; mmengine's evaluator is not used."""

    def __init__(
        self, runner: Any, dataloader: Any, evaluator: Any, *, task: TrainingTask[Any], sets: list[SetValidation]
    ) -> None:
        super().__init__(runner, dataloader)
        self.task, self.sets = task, sets

    @torch.no_grad()
    def run(self) -> dict[str, float]:
        """Score every set with the weights that hooks have put in place (the averaged ones where there are)."""
        self.runner.call_hook("before_val")
        self.runner.call_hook("before_val_epoch")
        model = self.runner.model
        model.eval()
        if not isinstance(model, TaskModel):
            raise TypeError(f"expected a TaskModel, got {type(model).__name__}")
        device = next(model.parameters()).device
        metrics: dict[str, float] = {}
        for each in self.sets:
            metrics |= each.run(lambda lr, size: self.task.upscale(model.network, lr.to(device), size))
        metrics |= self.task.checks(model.network)
        self.runner.call_hook("after_val_epoch", metrics=metrics)
        self.runner.call_hook("after_val")
        return metrics
