"""The live display of a run: what elapsed and what is left are named; nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.progress import clock_text, left_texts
from bench.engine.forecast import Left
from tests.cli.conftest import in_terminal, plain_lines

PLUGIN = """
from bench.api import Method, MethodInfo, Upscaled


class Slow(Method):
    info = MethodInfo(name="slow", display="Slow", summary="s", licence="MIT")

    def load(self, weights, device, dtype):
        return self

    def upscale(self, lr, size, *, seed):
        import time

        import torch

        time.sleep(0.7)
        if FAILS:
            raise ValueError("no layer for it")
        return Upscaled(torch.nn.functional.interpolate(lr[None], size)[0])
"""
WORDS = ("run", "--datasets", "Photos", "--methods", "slow", "--plugin", "slow.py", "--scales", 2, "--metrics", "psnr")


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (Left(None, ("CASR (lite)",)), "left: not known yet"),
        (Left(272.0), "left about 4 min 32 s"),
        (Left(20.0, ("CASR (lite)", "LTE")), "left at least 20 s, not known yet for CASR (lite), LTE"),
        (Left(0.2, ("CASR (lite)",)), "left at least 0 s, not known yet for CASR (lite)"),
        (Left(7325.0), "left about 2 h 2 min"),
    ],
)
def test_what_is_not_known_is_said(left: Left, text: str) -> None:
    """Catches a number that leaves out the dear methods and does not say so."""
    assert ", ".join(left_texts(left)) == text


def test_minutes_are_carried() -> None:
    """Catches "0 min 60 s"."""
    assert [clock_text(seconds) for seconds in (59.4, 59.6, 3599.6)] == ["59 s", "1 min 0 s", "1 h 0 min"]


@pytest.fixture
def plugin(newcomer: Path, photos: Path) -> Callable[[bool], None]:
    """Write the plug-in."""

    def write(fails: bool) -> None:
        (newcomer / "slow.py").write_text(PLUGIN.replace("FAILS", str(fails)), encoding="utf-8")

    return write


def test_the_bar_names_what_elapsed_and_what_is_left(plugin: Callable) -> None:
    """Catches `0:00:11 left 0:00:02`, where the first number is what elapsed."""
    plugin(False)
    code, text = in_terminal((*WORDS, "--workers", 0), 80)
    assert code == 0
    lines = plain_lines(text)
    bars = [line for line in lines if "/3" in line and "elapsed" in line]
    assert any("left: not known yet" in line for line in bars)
    assert any("left about" in line for line in bars)
    assert "Slow · Photos · x2 · p0" in " ".join(lines)


def test_failures_are_counted_live_and_told_in_the_end(plugin: Callable) -> None:
    """Catches a run of hours that says nothing of its failures until it ends."""
    plugin(True)
    code, text = in_terminal((*WORDS, "--workers", 0), 160)
    assert code == 1
    lines = plain_lines(text)
    assert any("failed; the first: Slow · Photos · x2 · p0" in line for line in lines)
    assert "3 images failed alike, such as Slow · Photos · x2 · p0" in " ".join(lines)
