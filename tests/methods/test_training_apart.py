"""What trains a method lies apart from what runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.training.find import find_task

TRAINED = ("liif", "lte", "blind_assr", "casarbi", "casr")
UPSCALE = """
import sys
import numpy as np
from bench.api import get_protocol
from bench.engine.inference import Runner
from bench.engine.choice import choose_methods

for choice in choose_methods({names}, weights="lite", overrides=[]):
    runner = Runner(choice, device="cpu", tile=None)
    lr = np.full((16, 16, 3), 0.5, np.float32)
    runner.infer(lr, (40, 40), get_protocol("sample"), image="i", scale=2.5, seed=0)
apart = ("bench.training", "bench.weights.writer", *(f"methods.{{name}}.training" for name in {names}))
print([name for name in apart if name in sys.modules])
"""


def test_running_a_method_imports_nothing_that_trains_it() -> None:
    """Catches a network that takes a function from its training: an edit there would make stored images stale."""
    code = UPSCALE.format(names=list(TRAINED))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", TRAINED)
def test_the_training_is_found_beside_the_method(name: str) -> None:
    """Catches a task of another method behind the name, and configurations that moved away from their task."""
    task = find_task(name)
    assert (task.method, task.__module__.startswith(f"methods.{name}.training.")) == (name, True)
    assert (task.configs / "lite.yaml").is_file()
