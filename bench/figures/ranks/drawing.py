"""Critical-difference diagrams as Demsar (JMLR 7, 2006) draws them, one above the other."""

from __future__ import annotations

import math
import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis.ranks import Ranks
from bench.api import format_times
from bench.figures.page import Page, page_style
from bench.figures.ranks.numbers import RankedScales
from bench.report.grid import Head

_SIDE, _WIDTH = 1.75, 5.6
"""Inches: room for names at each side, and the page."""
_TITLE, _AXIS, _ROW, _BAR, _GAP, _LINE = 0.2, 0.5, 0.17, 0.09, 0.12, 0.118
"""Inches: a title; from there down to the axis of ranks; a name; a bar; between two diagrams; a line of notes."""
_LONGEST = 30


def draw_ranks(ranked: RankedScales) -> Figure:
    """A diagram per scale: the best at the left, a thick bar over methods that are not told apart."""
    heights = [_height(ranks) for ranks in ranked.scales.values()]
    notes = [line for note in _notes(ranked) for line in textwrap.wrap(note, int((_WIDTH - 0.2) / 0.053))]
    with page_style():
        page = Page(sum(heights) + (len(notes) + 1) * _LINE, _WIDTH)
        up = 0.0
        for (scale, ranks), height in zip(ranked.scales.items(), heights, strict=True):
            title = f"{Head(ranked.metric.display, direction=ranked.metric.direction).plain}, {format_times(scale)}"
            page.text(0.1, up + 0.06, title, ha="left", size=7.5, weight="bold", parse_math=False)
            axes = page.axes(0.0, up + _TITLE, _WIDTH, height - _TITLE - _GAP)
            _diagram(axes, ranks, height - _TITLE - _GAP)
            up += height
        page.text(0.1, up, "\n".join(notes), ha="left", color="0.35", parse_math=False)
        return page.figure


def _height(ranks: Ranks) -> float:
    rows = math.ceil(len(ranks.names) / 2)
    return _TITLE + _AXIS + (len(ranks.groups) + 1) * _BAR + rows * _ROW + _GAP


def _diagram(axes: Axes, ranks: Ranks, height: float) -> None:
    """One diagram on axes of which the units are inches from the top left."""
    count = len(ranks.names)

    def at(rank: float) -> float:
        return _SIDE + (rank - 1) / (count - 1) * (_WIDTH - 2 * _SIDE)

    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.axis("off")
    axes.plot([at(1), at(count)], [_AXIS, _AXIS], color="black", linewidth=0.8)
    for rank in range(1, count + 1):
        axes.plot([at(rank)] * 2, [_AXIS - 0.05, _AXIS], color="black", linewidth=0.8)
        axes.text(at(rank), _AXIS - 0.07, str(rank), ha="center", va="bottom")
    # the bar of the critical difference may be longer than the axis: then it ends where the axis does, open
    end = min(at(1 + ranks.critical), at(count) + 0.2)
    axes.plot([at(1), end], [0.13, 0.13], color="black", linewidth=1.2)
    for place in (at(1), *([end] if end == at(1 + ranks.critical) else [])):
        axes.plot([place] * 2, [0.09, 0.17], color="black", linewidth=1.2)
    axes.text((at(1) + end) / 2, 0.1, f"critical difference {ranks.critical:.2f}", ha="center", va="bottom")
    for index, (first, last) in enumerate(ranks.groups):
        level = _AXIS + (index + 1) * _BAR
        ends = [at(ranks.means[first]) - 0.03, at(ranks.means[last]) + 0.03]
        axes.plot(ends, [level, level], color="black", linewidth=2.6, solid_capstyle="butt")
    left = math.ceil(count / 2)
    below = _AXIS + (len(ranks.groups) + 1) * _BAR
    for index, (name, mean) in enumerate(zip(ranks.names, ranks.means, strict=True)):
        leftward = index < left
        level = below + (index if leftward else count - 1 - index) * _ROW + 0.08
        edge = _SIDE - 0.12 if leftward else _WIDTH - _SIDE + 0.12
        axes.plot([at(mean), at(mean), edge], [_AXIS, level, level], color="0.25", linewidth=0.6)
        shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        words = f"{shown}  {mean:.2f}" if leftward else f"{mean:.2f}  {shown}"
        place = edge - 0.04 if leftward else edge + 0.04
        axes.text(place, level, words, ha="right" if leftward else "left", va="center", parse_math=False)


def _notes(ranked: RankedScales) -> list[str]:
    parts = ", ".join(
        f"{format_times(scale)}: {ranks.blocks} {ranked.over}, Friedman p = {ranks.p:.2g}"
        for scale, ranks in ranked.scales.items()
    )
    return [
        f"Mean ranks over {ranked.over} ({parts}). A bar joins methods that Nemenyi's test at 5 % does not tell apart.",
        *ranked.signature,
    ]
