"""Plugin methods that misbehave: the file or the image is named, the other images and methods go on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = """
import sys
import numpy as np
import torch
from bench.api import Method, MethodInfo, Upscaled

class Odd(Method):
    info = MethodInfo(name="odd", display="Odd", summary="misbehaves")
    calls = 0

    def upscale(self, lr, size, *, seed):
        Odd.calls += 1
        good = torch.zeros(3, *size)
        if Odd.calls != 2:
            return Upscaled(good)
        {body}
"""
RUN = ("run", "--methods", "odd,bicubic", "--datasets", "Photos", "--scales", 2, "--metrics", "psnr", "--out", "run")
BODIES = {
    "raises": ("raise ValueError('no luck')", "odd raised ValueError: no luck"),
    "leaves": ("sys.exit(0)", "odd raised SystemExit"),
    "returns NaN": ("good[0, 3, 4] = float('nan'); return Upscaled(good)", "NaN or infinite values in 1 of"),
    "returns infinity": ("return Upscaled(good + float('inf'))", "NaN or infinite"),
    "returns another size": ("return Upscaled(good[:, 1:])", "returned shape (3, 47, 64), expected (3, 48, 64)"),
    "returns a batch": ("return Upscaled(good[None])", "returned shape (1, 3, 48, 64)"),
    "returns gray": ("return Upscaled(good[:1])", "returned shape (1, 48, 64)"),
    "returns bytes": ("return Upscaled((good + 200).to(torch.uint8))", "uint8"),
    "returns an array": ("return Upscaled(good.numpy())", "ndarray"),
    "returns a bare tensor": ("return good", "Tensor"),
    "returns nothing": ("return None", "NoneType"),
}
FINE = {
    "half precision": "return Upscaled(good.half())",
    "double precision": "return Upscaled(good.double())",
    "with a gradient": "return Upscaled(torch.nn.Parameter(good))",
    "not contiguous": "return Upscaled(torch.zeros(size[1], size[0], 3).permute(2, 1, 0))",
}


def plugin(folder: Path, body: str) -> Path:
    file = folder / "odd.py"
    file.write_text(HEAD.replace("{body}", body))
    return file


@pytest.mark.parametrize(("body", "message"), BODIES.values(), ids=BODIES.keys())
def test_a_method_that_fails_on_one_image_costs_that_image_only(
    body: str, message: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    done = bench(*RUN, "--workers", 0, "--plugin", plugin(newcomer, body))
    assert done.code == 1
    assert message in done.err
    with (newcomer / "run" / "records.csv").open(newline="") as stream:
        rows = [(row["method"], row["image"], row["unit_status"]) for row in csv.DictReader(stream)]
    assert [row for row in rows if row[2] != "ok"] == [("odd", "p1", "failed")]
    assert len(rows) == 6
    assert "2/3" in done.out


@pytest.mark.parametrize("body", FINE.values(), ids=FINE.keys())
def test_any_floating_tensor_of_the_right_size_is_taken(
    body: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    done = bench(*RUN, "--workers", 0, "--plugin", plugin(newcomer, body))
    assert (done.code, done.err) == (0, "")


IMPORTS = {
    "raises": ("import os\nraise RuntimeError('broken')", "line 2: RuntimeError: broken"),
    "needs what is not here": ("import no_such_package", "ModuleNotFoundError"),
    "is not Python": ("def f(:", "line 1: syntax error"),
    "is empty": ("x = 1", "there is no Method in it"),
    "takes a name": (HEAD.replace("{body}", "pass").replace('"odd"', '"bicubic"'), "already registered"),
    "lacks upscale": (HEAD.partition("    calls")[0], "does not define upscale"),
}


@pytest.mark.parametrize(("source", "message"), IMPORTS.values(), ids=IMPORTS.keys())
def test_a_plugin_that_cannot_be_used_is_refused_with_file_and_line(
    source: str, message: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    (newcomer / "odd.py").write_text(source)
    done = bench(*RUN, "--workers", 0, "--plugin", "odd.py")
    assert (done.code, done.out) == (2, "")
    assert "odd.py" in done.err
    assert message in done.err
    assert not (newcomer / "run").exists()
    assert bench("methods").code == 0


def test_a_method_that_cannot_be_loaded_ends_the_run_and_keeps_what_was_done(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    text = HEAD.replace("{body}", "pass") + "\n    def load(self, *_):\n        raise OSError('no disk')\n"
    (newcomer / "odd.py").write_text(text)
    done = bench(*RUN, "--methods", "bicubic,odd", "--workers", 1, "--plugin", "odd.py")
    assert done.code == 2
    assert "method odd could not be loaded: OSError: no disk" in done.err
    kept = bench(*RUN, "--methods", "bicubic", "--workers", 0)
    assert "computed 0 images (3 were there)" in kept.out


def test_worker_processes_know_the_metrics_of_a_plugin(process: Callable, photos: Path, newcomer: Path) -> None:
    """Catches workers that know the name of a metric and not the file that registers it: they died at once."""
    (newcomer / "twice.py").write_text(
        "from bench.metrics.psnr import PSNR\n"
        "from bench.registry import METRICS\n"
        "from dataclasses import replace\n"
        "@METRICS.register('twice')\n"
        "class Twice(PSNR):\n"
        "    info = replace(PSNR.info, name='twice', display='Twice')\n"
        "    def compute(self, pair):\n"
        "        return 2 * super().compute(pair)\n"
    )
    words = ("run", "--methods", "bicubic", "--datasets", "Photos", "--scales", 2, "--metrics", "psnr,twice")
    done = process(*words, "--plugin", "twice.py", "--workers", 1, "--out", "run")
    assert done.code == 0, done.err
    with (newcomer / "run" / "records.csv").open(newline="") as stream:
        values = {(row["image"], row["metric"]): float(row["value"]) for row in csv.DictReader(stream)}
    assert len(values) == 6
    assert all(values[f"p{index}", "twice"] == 2 * values[f"p{index}", "psnr"] for index in range(3))
