"""From a method's name to its training: the `TASK` in the package `training` beside the method's module."""

from __future__ import annotations

from typing import Any

from bench.api import MethodSpec, RequestError
from bench.plugins import companion
from bench.registry import METHODS
from bench.training.task import TrainingTask


def find_task(name: str) -> type[TrainingTask[Any]]:
    """The training of a registered method.

    Raises:
        RequestError: unknown method, or one that has no training here.
    """
    spec = METHODS.get(name)
    module = companion(spec, "training") if isinstance(spec, MethodSpec) else None
    if module is None:
        raise RequestError(
            f"method '{name}' has no training here: it has no package 'training' beside its code (docs/training.md)"
        )
    task = getattr(module, "TASK", None)
    if not (isinstance(task, type) and issubclass(task, TrainingTask)):
        raise RequestError(f"{module.__name__} has no TASK that is a TrainingTask")
    return task
