"""What all figures share: their style, a page on which things are placed in inches, and how a figure is written.

Matplotlib without pyplot, so that a figure is an object like any other and no window system is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.api import RequestError
from bench.imaging.atomic import atomic_write

SUFFIXES = (".png", ".pdf", ".svg")
"""What a figure may be written as."""
COLOUR_MAP = "magma"
"""Perceptually uniform: equal steps look equal, also in gray."""
PAGE_WIDTH = 7.0
"""Inches across a page."""


class Page:
    """A figure on which things are placed in inches from its top left corner."""

    def __init__(self, height: float, width: float = PAGE_WIDTH) -> None:
        self.figure = Figure(figsize=(width, height))
        FigureCanvasAgg(self.figure)
        self._size = (width, height)

    def text(self, at: float, up: float, words: str, *, ha: str = "center", va: str = "top", **look: Any) -> None:
        """Words at a place; `look` is what matplotlib's text takes."""
        width, height = self._size
        self.figure.text(at / width, 1 - up / height, words, ha=ha, va=va, linespacing=1.25, **look)

    def axes(self, left: float, up: float, across: float, down: float) -> Axes:
        """Axes without ticks, with a thin frame; across and down in inches."""
        width, height = self._size
        axes = self.figure.add_axes((left / width, 1 - (up + down) / height, across / width, down / height))
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_linewidth(0.4)
        return axes


def check_target(path: Path) -> None:
    """Whether a figure can be written there, before anything is computed.

    Raises:
        RequestError: another suffix, no such folder, or a folder of that name.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError(f"--out {path}: a figure is written as {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise RequestError(f"--out {path}: folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise RequestError(f"--out {path} is a folder; give a file name")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; 300 dots per inch as PNG, and the same bytes every time.

    Raises:
        RequestError: see `check_target`.
        OSError: the place cannot be written.
    """
    check_target(path)
    kind = path.suffix.lower()[1:]
    undated = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[kind]
    with page_style(), atomic_write(path, "wb") as file:
        figure.savefig(file, format=kind, dpi=300, metadata=undated)


@contextmanager
def page_style() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever a matplotlibrc says; the settings outside are left as they were."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rc("font", size=6.5)
        matplotlib.rc("pdf", fonttype=42)
        matplotlib.rc("svg", hashsalt="assr-bench", fonttype="path")
        yield
