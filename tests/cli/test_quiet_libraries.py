"""What libraries say while they are imported and used: remarks are kept back, errors are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

NOISY = """
import logging
import warnings

logging.getLogger("some.library").warning("failed to load a kernel that nobody needs")
warnings.warn("this will change", DeprecationWarning)
warnings.warn("an optional package is old", UserWarning)

from bench.api import Method, MethodInfo, Upscaled


class Noisy(Method):
    info = MethodInfo(name="noisy", display="Noisy", summary="s", licence="MIT")

    def load(self, weights, device, dtype):
        return self

    def upscale(self, lr, size, *, seed):
        import torch

        warnings.warn("a function is deprecated", FutureWarning)
        logging.getLogger("some.library").warning("falling back")
        ERROR
        return Upscaled(torch.nn.functional.interpolate(lr[None], size)[0])
"""
WORDS = (
    "run",
    "--datasets",
    "Photos",
    "--methods",
    "noisy",
    "--plugin",
    "noisy.py",
    "--scales",
    "2",
    "--metrics",
    "psnr",
)


@pytest.fixture
def noisy(newcomer: Path, photos: Path) -> Callable[[str], None]:
    """Write the plug-in, with a statement in the midst of its work."""

    def write(statement: str = "pass") -> None:
        (newcomer / "noisy.py").write_text(NOISY.replace("ERROR", statement), encoding="utf-8")

    return write


def test_remarks_of_libraries_are_kept_back(noisy: Callable, process: Callable) -> None:
    """Catches 'Failed to load CPU gemm_4bit_forward' above every table."""
    noisy()
    for workers in (0, 1):
        done = process(*WORDS, "--workers", workers, "--out", f"run{workers}")
        assert (done.code, done.err) == (0, "")


def test_errors_of_libraries_are_shown(noisy: Callable, process: Callable) -> None:
    """Catches silence bought with stderr thrown away."""
    noisy('logging.getLogger("some.library").error("the device fell off the bus")')
    done = process(*WORDS, "--workers", 0)
    assert done.code == 0
    assert "the device fell off the bus" in done.err
    assert "falling back" not in done.err


def test_who_asks_for_warnings_gets_them(noisy: Callable, process: Callable) -> None:
    """Catches a filter that overrules PYTHONWARNINGS."""
    noisy()
    done = process(*WORDS, "--workers", 0, env={"PYTHONWARNINGS": "default"})
    assert done.code == 0
    assert "an optional package is old" in done.err


def test_importing_diffusers_says_nothing(process: Callable, photos: Path) -> None:
    """Catches what its optional packages say when they are imported."""
    pytest.importorskip("diffusers")
    words = ("run", "--datasets", "Photos", "--methods", "casr", "--scales", "2", "--metrics", "psnr", "--limit", "1")
    done = process(*words, "--workers", 0)
    assert (done.code, done.err) == (0, "")
