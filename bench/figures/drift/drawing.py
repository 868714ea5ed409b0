"""Drift of cascades as a figure: measures against the magnification reached, and the distributions behind them.

Numbers come in from `bench.figures.drift.meter`; what is pooled for a panel is pooled for the files of numbers too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.api import RequestError
from bench.figures.drift.distribution import Distribution
from bench.figures.drift.meter import Kind, MeanCycle, pools
from bench.figures.page import COLOUR_MAP, PAGE_WIDTH, Page, line_colours, page_style

_HEAD, _PANEL, _WORDS, _LINE = 0.24, 1.15, 0.32, 0.12
"""Inches: above a band, a panel's height, the words below it, a line of words."""
_LEFT, _GAP = 0.45, 0.45
_WIDEST = 48
"""Levels to either side of 0 that a panel of differences shows."""


@dataclass(frozen=True)
class _Measure:
    """One panel of lines: its title, the value of a cycle, and what HR has."""

    title: str
    of: Callable[[dict[str, float]], float | None]
    ideal: Callable[[dict[str, float]], float | None]


def _get(name: str) -> Callable[[dict[str, float]], float | None]:
    return lambda values: values.get(name)


def _ratio(name: str) -> Callable[[dict[str, float]], float | None]:
    def found(values: dict[str, float]) -> float | None:
        top, bottom = values.get(name), values.get(f"hr_{name}")
        return None if top is None or not bottom else top / bottom

    return found


def _nothing(values: dict[str, float]) -> float | None:
    return None


def _one(values: dict[str, float]) -> float | None:
    return 1.0 if "hr_luma_sd" in values else None


_PANELS = (
    _Measure("luma: distance from HR, levels ↓", _get("luma_distance"), _nothing),
    _Measure("differences: distance from HR, levels ↓", _get("gradient_distance"), _nothing),
    _Measure("differences: standard deviation / HR's", _ratio("gradient_sd"), _one),
    _Measure("luma: standard deviation / HR's", _ratio("luma_sd"), _one),
    _Measure("NIQE ↓", _get("niqe"), _get("hr_niqe")),
    _Measure("LR-PSNR, dB ↑", _get("lr_psnr"), _nothing),
)


def draw_drift(means: Sequence[MeanCycle], *, note: str = "") -> Figure:
    """Six panels of lines, a line per method variant; below, for each variant, the distributions of its cycles.

    Args:
        means: From `bench.figures.drift.meter.average`.
        note: Sentences below, such as which images these are.
    Raises:
        RequestError: nothing to draw.
    """
    variants = [list(group) for group in _by_variant(means)]
    if not variants:
        raise RequestError("a drift figure needs at least one measured image")
    names = [group[0].choice.display for group in variants]
    legend = -(-len(names) // 2)
    lines, top = textwrap.wrap(f"{_explanation(means)} {note}".strip(), 150), 0.1 + legend * 0.14
    band, below = _HEAD + _PANEL + _WORDS, top + 2 * (_HEAD + _PANEL + _WORDS)
    shown = [group for group in variants if len(group) > 1]
    with page_style():
        page = Page(below + len(shown) * band + len(lines) * _LINE + 0.15)
        colours = line_colours(len(variants))
        for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
            left, up = _LEFT + number % 2 * PAGE_WIDTH / 2, 0.05 + number // 2 * 0.14
            page.text(left, up, "●", ha="left", color=colour)
            page.text(left + 0.12, up, name, ha="left", parse_math=False)
        width = (PAGE_WIDTH - _LEFT - 2 * _GAP - 0.1) / 3
        for place, panel in enumerate(_PANELS):
            left, up = _LEFT + place % 3 * (width + _GAP), top + place // 3 * band + _HEAD
            _lines(_axes(page, left, up, width), panel, variants, colours)
        half = (PAGE_WIDTH - _LEFT - _GAP - 0.1) / 2
        for place, group in enumerate(shown):
            up = below + place * band + _HEAD
            name = group[0].choice.display
            _densities(_axes(page, _LEFT, up, half), group, "luma", f"{name}: share of levels of luma")
            right = _axes(page, _LEFT + half + _GAP, up, half)
            _densities(right, group, "gradient", "share of differences between neighbouring pixels")
        page.text(0.06, below + len(shown) * band, "\n".join(lines), ha="left", color="0.35", parse_math=False)
        return page.figure


def _by_variant(means: Sequence[MeanCycle]) -> Iterator[list[MeanCycle]]:
    groups: dict[int, list[MeanCycle]] = {}
    for mean in means:
        groups.setdefault(id(mean.choice), []).append(mean)
    yield from groups.values()


def _axes(page: Page, left: float, up: float, width: float) -> Axes:
    axes = page.axes(left, up, width, _PANEL)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    axes.tick_params(width=0.4, length=2, pad=2)
    axes.grid(visible=True, color="0.92", linewidth=0.4)
    axes.set_axisbelow(True)
    return axes


def _lines(axes: Axes, panel: _Measure, variants: Sequence[Sequence[MeanCycle]], colours: Sequence[Any]) -> None:
    axes.set_title(panel.title, size=6.5, pad=4, parse_math=False)
    axes.set_xscale("log", base=2)
    growths = sorted({round(mean.growth, 3) for group in variants for mean in group})
    ideal: dict[float, float] = {}
    drawn = False
    for group, colour in zip(variants, colours, strict=True):
        values = [panel.of(mean.values) for mean in group]
        heights = [np.nan if value is None else value for value in values]
        axes.plot([mean.growth for mean in group], heights, "o-", color=colour, lw=1, ms=3)
        drawn = drawn or any(value is not None for value in values)
        for mean in group:
            wanted = panel.ideal(mean.values)
            if wanted is not None:
                ideal[mean.growth] = wanted
    if ideal:
        places = sorted(ideal)
        axes.plot(places, [ideal[place] for place in places], "--", color="0.4", lw=0.8)
    if not drawn:
        axes.text(0.5, 0.5, "not available", ha="center", va="center", color="0.5", transform=axes.transAxes)
    shown = [growth for place, growth in enumerate(growths) if not place or growth > 1.25 * growths[place - 1]]
    axes.set_xticks(shown, [f"×{growth:.3g}" for growth in shown])
    axes.set_xticks([], minor=True)
    axes.set_xlim(growths[0] / 1.15, growths[-1] * 1.15)
    axes.set_xlabel("magnification so far", labelpad=1)
    axes.margins(y=0.12)


def _densities(axes: Axes, group: Sequence[MeanCycle], kind: Kind, title: str) -> None:
    axes.set_title(title, size=6.5, pad=4, parse_math=False)
    shades = matplotlib.colormaps[COLOUR_MAP](np.linspace(0.15, 0.8, len(group)))
    for mean, colour in zip(group, shades, strict=True):
        own, reference = pools(mean, kind)
        label = f"×{mean.growth:.3g}" if mean.number else "LR"
        for each, style, word in ((own, "-", label), (reference, ":", None)):
            if each is None:
                continue
            if kind == "luma":
                axes.plot(*_binned(each, 4), style, color=colour, lw=0.9, label=word)
            else:
                inside = np.abs(each.values) <= _WIDEST
                axes.plot(each.values[inside], each.density[inside], style, color=colour, lw=0.9, label=word)
    if kind == "gradient":
        axes.set_yscale("log")
        axes.set_ylim(1e-6, 1)
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlim((0, 255) if kind == "luma" else (-_WIDEST, _WIDEST))
    axes.set_xlabel("level" if kind == "luma" else "difference in levels", labelpad=1)
    axes.legend(fontsize=5.5, frameon=False, handlelength=1.2, labelspacing=0.2, borderpad=0.2)


def _binned(found: Distribution, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Middles and mean shares of bins, so that single empty levels do not make a comb."""
    return found.values.reshape(-1, width).mean(1), found.density.reshape(-1, width).mean(1)


def _explanation(means: Sequence[MeanCycle]) -> str:
    counts = sorted({mean.n for mean in means})
    images = " or ".join(map(str, counts)) + (" image" if counts == [1] else " images")
    return (
        f"Means over {images}; HR is reduced to the size of each cycle. Dashed: HR itself. A distance is how far "
        "values must move, on average, to be distributed as HR's. "
        "Distributions: solid, cycles; dotted, HR at their sizes."
    )
