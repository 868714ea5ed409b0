"""From a method's name to its training: the `TASK` in `train.py` beside the method's module."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from bench.api import MethodSpec, RequestError
from bench.registry import METHODS
from bench.training.task import TrainingTask


def find_task(name: str) -> type[TrainingTask[Any]]:
    """The training of a registered method.

    Raises:
        RequestError: unknown method, or one that has no training here.
    """
    spec = METHODS.get(name)
    package = spec.factory.partition(":")[0].rpartition(".")[0] if isinstance(spec, MethodSpec) else ""
    module = f"{package}.train"
    if not package or find_spec(module) is None:
        raise RequestError(
            f"method '{name}' has no training here; 'bench train --help' says what a method needs for one"
        )
    task = getattr(importlib.import_module(module), "TASK", None)
    if not (isinstance(task, type) and issubclass(task, TrainingTask)):
        raise RequestError(f"{module} has no TASK that is a TrainingTask")
    return task
