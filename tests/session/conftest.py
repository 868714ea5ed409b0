"""Runs as a notebook makes them: small photographs, a plug-in that can be edited, a way to stop after a few images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import bench
from bench import plugins
from bench.api import CellId
from bench.engine.events import Silent
from bench.imaging import write_png
from bench.registry import METHODS
from bench.session import Run

METRICS = ("psnr", "ssim")
PLUGIN = '''
import torch
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled


class Up(Method):
    """{docstring}"""

    info = MethodInfo(name="up", display="Up", summary="made up")

    def upscale(self, lr, size, *, seed):
        return Upscaled(interpolate(lr[None], size=size, mode="{mode}")[0].clamp(0, 1) * {gain})  # {comment}
'''


def make_photo(seed: int, size: tuple[int, int] = (32, 40)) -> np.ndarray:
    """A smooth random colour image, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 12.0
    planes = [np.sin(a * y + b * x + c) for a, b, c in rng.uniform(0.3, 2, (3, 3))]
    return np.clip(128 + 60 * np.stack(planes, axis=-1) + rng.normal(0, 3, (*size, 3)), 0, 255).astype(np.uint8)


def write_photos(folder: Path, seeds: range | list[int]) -> Path:
    """A folder of photographs `p<position>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, seed in enumerate(seeds):
        write_png(folder / f"p{index}.png", make_photo(seed))
    return folder


def write_up(
    path: Path, *, mode: str = "bicubic", gain: float = 1.0, comment: str = "", docstring: str = "Up."
) -> Path:
    """The plug-in `up`, whose images depend on mode and gain alone."""
    path.write_text(PLUGIN.format(mode=mode, gain=gain, comment=comment, docstring=docstring), encoding="utf-8")
    return path


def unchecked(text: str) -> str:
    """Record lines as versions before check sums wrote them, for tests that change what they say."""
    return re.sub(r',"check":"[0-9a-f]{8}"}$', "}", text, flags=re.MULTILINE)


class StopAfter(Silent):
    """A listener that presses Ctrl-C after so many finished images."""

    def __init__(self, images: int) -> None:
        self.left = images

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class Notes(Silent):
    """A listener that keeps what is said."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.texts.append(text)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder `Photos` of five images."""
    return write_photos(tmp_path / "Photos", range(5))


@pytest.fixture
def forget_plugins() -> Iterator[Callable[[], None]]:
    """Forgets what plug-ins registered, as a new process would; also at the end of the test."""
    known = set(METHODS.names())

    def forget() -> None:
        for name in set(METHODS.names()) - known:
            METHODS.forget(name)
        plugins._LOADED.clear()

    yield forget
    forget()


@pytest.fixture
def run(tmp_path: Path, forget_plugins: Callable[[], None]) -> Callable[..., Run]:
    """`bench.run` as a new process calls it: in one folder, scored in this process, PSNR and SSIM."""

    def call(methods: str = "bicubic", scales: object = 2, **others: object) -> Run:
        forget_plugins()
        values = {"out": tmp_path / "run", "workers": 0, "metrics": METRICS, "protocol": "sample", **others}
        return bench.run(methods, scales, **values)  # type: ignore[arg-type]

    return call
