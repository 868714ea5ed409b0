"""The learning-rate schedule as a closed form of the step, driven by mmengine's ParamSchedulerHook.

Closed form: the rate depends on the configuration and the step alone, so a resumed run may lengthen or shorten the
training (`steps`) and follows the new curve at once.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from bench.training.config import ScheduleConfig


def lr_factor(schedule: ScheduleConfig, step: int, steps: int) -> float:
    """The factor of the base rate.

    Args:
        schedule: The shape.
        step: 0 for the first step.
        steps: Length of the training.
    Returns:
        A number in [0, 1].
    """
    rise = min(1.0, (step + 1) / (schedule.warmup + 1))
    if schedule.kind == "halving":
        fall = 0.5 ** sum(step >= share * steps for share in schedule.milestones)
    elif schedule.kind == "cosine":
        fall = schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * min(step / steps, 1.0))) / 2
    elif schedule.kind == "wsd":
        left = min(1.0, max(0.0, (steps - step) / (schedule.cooldown * steps)))
        fall = schedule.floor + (1 - schedule.floor) * left
    else:
        fall = 1.0
    return rise * fall


def ending(schedule: ScheduleConfig, step: int, steps: int) -> int:
    """The length with which a training that has come to a step ends soonest without a jump of the rate.

    Args:
        schedule: The shape.
        step: Steps done.
        steps: The length so far.
    Returns:
        Under `wsd` in its constant part, the length whose fall begins at this step; otherwise `steps`.
    """
    if schedule.kind != "wsd" or step >= (1 - schedule.cooldown) * steps or schedule.cooldown == 1:
        return steps
    return max(math.ceil(step / (1 - schedule.cooldown)), step + 1)


class ScheduledLR(LRSchedulerMixin, _ParamScheduler):
    """`lr_factor` as an mmengine scheduler; only its position is stored in checkpoints."""

    def __init__(
        self,
        optimizer: Any,
        *,
        schedule: ScheduleConfig,
        steps: int,
        by_epoch: bool = False,
        begin: int = 0,
        end: int = 10**9,
    ) -> None:
        """Args: schedule, steps: as in `lr_factor`; the others are what mmengine's builder adds."""
        self.schedule, self.steps = schedule, steps
        super().__init__(optimizer, by_epoch=by_epoch, begin=begin, end=max(end, 10**9))

    def _get_value(self) -> list[float]:
        factor = lr_factor(self.schedule, self.last_step, self.steps)
        return [base * factor for base in self.base_values]

    def step(self) -> None:
        """The next step's rate; also where the optimiser has not moved yet, as a critic's that joins later."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected call of `scheduler.step")
            super().step()

    def state_dict(self) -> dict[str, Any]:
        """The position."""
        return {"last_step": self.last_step, "global_step": self._global_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the position and set the rate that this configuration has there."""
        self.last_step, self._global_step = state_dict["last_step"], state_dict["global_step"]
        for group, value in zip(self.optimizer.param_groups, self._get_value(), strict=True):
            group["lr"] = value
        self._last_value = [group["lr"] for group in self.optimizer.param_groups]
