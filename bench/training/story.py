"""What a training tells of itself: configuration, data, machine and wall time in each checkpoint, figures in a file."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from pydantic import TypeAdapter, ValidationError

from bench.api import RequestError
from bench.api.record import first_fault
from bench.imaging.atomic import atomic_write
from bench.training import parallel
from bench.training.task import TrainingTask
from bench.weights.reader import read_card

FIGURES = "validation.json"
"""In the training's folder: step -> figures. A checkpoint is written before its step is validated, so not inside it."""
_FIGURES = TypeAdapter(dict[int, dict[str, float]])


def read_figures(out: Path) -> dict[int, dict[str, float]]:
    """The validation figures of a training so far, by step; empty where there are none.

    Raises:
        RequestError: the file is damaged.
    """
    path = out / FIGURES
    if not path.is_file():
        return {}
    try:
        return _FIGURES.validate_json(path.read_bytes())
    except ValidationError as fault:
        raise RequestError(f"{path} is damaged: {first_fault(fault)}; move it away to go on without them") from None


def machine(device: str) -> str:
    """A line on the hardware, such as "2 CPU cores, x86_64" or "NVIDIA A100"."""
    if device.startswith("cuda") and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} CPU cores, {platform.machine()}, {torch.get_num_threads()} thread(s) used"


_OF_A_STAGE = ("stage", "steps", "train_seconds", "machine", "seed", "data", "config", "sha256")


def stages_before(weights: Path | None) -> list[dict[str, Any]]:
    """What the card of a stage's weights says of it and of the stages before it, first to last.

    Args:
        weights: A file that a stage left; None: there was none.
    Returns:
        Per stage its `_OF_A_STAGE`; of a file without a card of its own bytes only its sha256.
    Raises:
        RequestError: a card that cannot be read.
    """
    if weights is None or not weights.is_file():
        return []
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    card = read_card(weights) if weights.with_suffix(".json").is_file() else None
    if card is None or card.sha256 != sha256:
        return [{"sha256": sha256}]
    fields = card.model_dump()
    return [*card.before, {name: fields[name] for name in _OF_A_STAGE if name in card.model_fields_set}]


class StoryHook(Hook):
    """Keeps the story in `checkpoint["meta"]["training"]` (JSON) and the figures in `FIGURES`, across resumes."""

    priority = "NORMAL"

    def __init__(self, task: TrainingTask[Any], *, device: str) -> None:
        self._task, self._device = task, device
        self._before = 0.0
        self._started = time.monotonic()

    def before_train(self, runner: Runner) -> None:
        """The clock starts."""
        self._started = time.monotonic()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep the figures; those of later steps belong to a future that was resumed from before."""
        if not parallel.is_first():
            return
        out = Path(runner.work_dir)
        kept = {step: figures for step, figures in read_figures(out).items() if step < runner.iter}
        with atomic_write(out / FIGURES) as file:
            finite = {name: value for name, value in (metrics or {}).items() if math.isfinite(value)}
            json.dump({**kept, runner.iter: finite}, file, indent=1, allow_nan=False)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Write the story."""
        pool = self._task.pool
        checkpoint["meta"]["training"] = json.dumps(
            {
                "method": self._task.method,
                "stage": self._task.stage,
                "architecture": self._task.architecture(),
                "config": self._task.config.model_dump(mode="json"),
                "data": {"folders": pool.folders, "images": len(pool.images), "left_out": pool.excluded},
                "machine": machine(self._device),
                "seconds": self._before + time.monotonic() - self._started,
                "before": stages_before(self._task.begun_with),
                "buffers": [name.removeprefix("network.") for name, _ in runner.model.named_buffers()],
            }
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Go on counting from what the checkpoint says."""
        told = json.loads(checkpoint["meta"].get("training", "{}"))
        self._before = float(told.get("seconds", 0.0))
