"""Ablations of a plug-in that costs nothing, counts its calls, and can die in the middle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import bench, newcomer, photos, process
from tests.report.conftest import compile_latex

__all__ = ["bench", "compile_latex", "newcomer", "photos", "process"]

PLUGIN = """
import os
from pathlib import Path

from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, MethodOptions, Upscaled


class UpOptions(MethodOptions):
    gain: float = 1.0
    mode: str = "bicubic"


class Up(Method):
    info = MethodInfo(name="up", display="Up", summary="made up")
    Options = UpOptions

    def upscale(self, lr, size, *, seed):
        calls = Path(os.environ["UP_CALLS"])
        calls.write_text(calls.read_text() + f"{self.options.gain:g} ")
        if len(calls.read_text().split()) == int(os.environ.get("UP_DIES_AT", 0)):
            os.kill(os.getpid(), 9)
        return Upscaled(interpolate(lr[None], size=size, mode=self.options.mode)[0].clamp(0, 1) * self.options.gain)
"""
GAINS = """
title: Gains
source: ours
run: {datasets: [Photos], scales: [2], protocol: sample, metrics: [psnr, ssim]}
default: one
variants:
  dark: {label: darker, options: {gain: 0.9}}
  one: {label: as it is, options: {gain: 1}}
"""


@pytest.fixture
def calls(newcomer: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """calls() -> the gains that the plug-in was called with since the last calls()."""
    path = newcomer / "calls.txt"
    path.write_text("")
    monkeypatch.setenv("UP_CALLS", str(path))

    def take() -> list[str]:
        taken = path.read_text().split()
        path.write_text("")
        return taken

    return take


@pytest.fixture
def up(newcomer: Path, calls: Callable[[], list[str]]) -> Path:
    """The plug-in `up.py`, with one ablation `up/gains` beside it."""
    (newcomer / "up.py").write_text(PLUGIN)
    write_gains(newcomer)
    return newcomer / "up.py"


def write_gains(folder: Path, *more: str, text: str = GAINS) -> Path:
    """The ablation file of the plug-in, with further lines at its end."""
    path = folder / "ablations" / "up" / "gains.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "".join(f"  {line}\n" for line in more))
    return path
