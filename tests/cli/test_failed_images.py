"""What a run says of images that a plug-in failed on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = """
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled

class Up(Method):
    info = MethodInfo(name="up", display="Up", summary="s")

    def begin(self, *, image, scale):
        self.image = image

    def upscale(self, lr, size, *, seed):
        if self.image != "p1":
            raise ValueError(f"{self.image}: no layer for {size[0]} rows")
        if lr.shape[1] < 20:
            raise TypeError("too small")
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0])
"""


@pytest.fixture
def words(newcomer: Path, photos: Path) -> tuple[object, ...]:
    (newcomer / "up.py").write_text(PLUGIN)
    return ("run", "--methods", "up", "--plugin", "up.py", "--datasets", photos, "--metrics", "psnr", "--out", "R")


def test_equal_failures_are_said_once_with_their_number(
    bench: Callable, words: tuple[object, ...], newcomer: Path
) -> None:
    """Catches a line per image, and what is said both while it happens and at the end."""
    done = bench(*words, "--scales", "2,3")
    assert done.code == 1
    assert done.err.count("no layer for") == 1
    last = done.err[done.err.index("5 images failed:") :]
    where = Path("R", "errors", "up", "Photos")
    assert (
        "  4 images of Up failed alike, such as Up · Photos · x2 · p0: up raised ValueError: p0: no layer for 48 rows "
        f"(up.py:13 in upscale); traceback: {where / 'x2-s0' / 'p0.txt'}\n"
    ) in last
    assert (
        f"  Up · Photos · x3 · p1: up raised TypeError: too small (up.py:15 in upscale); traceback: "
        f"{where / 'x3-s0' / 'p1.txt'}\n"
    ) in last
    assert len(list((newcomer / "R" / "errors").rglob("*.txt"))) == 5


def test_fail_fast_ends_with_1_after_one_failure(bench: Callable, words: tuple[object, ...], newcomer: Path) -> None:
    """Catches an option that stops without a word, ends with 0, or writes no tables."""
    done = bench(*words, "--scales", "2", "--fail-fast")
    assert done.code == 1
    assert "1 image failed:" in done.err
    assert "stopped at the first failure (--fail-fast); finished work is kept" in done.err
    assert len(list((newcomer / "R" / "errors").rglob("*.txt"))) == 1
    assert (newcomer / "R" / "records.csv").is_file()
