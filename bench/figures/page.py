"""What all figures share: their style, and a page on which things are placed in inches.

Matplotlib without pyplot, so that a figure is an object like any other and no window system is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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


def panel_bands(count: int, *, left: float, gap: float) -> tuple[float, list[range]]:
    """Panels side by side, at most three: (width of one in inches, which of them stand in each band).

    Args:
        count: How many panels.
        left: Inches at the left of the page.
        gap: Inches between two panels.
    """
    across = min(3, count)
    width = (PAGE_WIDTH - left - 0.1 - (across - 1) * gap) / across
    return width, [range(start, min(start + across, count)) for start in range(0, count, across)]


def line_colours(count: int) -> list[Any]:
    """Ten that differ for everyone in hue or lightness; more are taken from the map."""
    listed = matplotlib.colormaps["tab10"].colors  # type: ignore[attr-defined]
    return list(listed[:count]) if count <= 10 else list(matplotlib.colormaps[COLOUR_MAP](np.linspace(0, 0.9, count)))


@contextmanager
def page_style() -> Iterator[None]:
    """Matplotlib's defaults and ours, whatever a matplotlibrc says; the settings outside are left as they were."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rc("font", size=6.5)
        matplotlib.rc("pdf", fonttype=42)
        matplotlib.rc("svg", hashsalt="assr-bench", fonttype="path")
        yield
