"""Curves over a swept option: a panel per dataset and metric, a line with a band per scale and other setting."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.figures.page import Page, line_colours
from bench.figures.panels import PANEL, panel_page, panel_titles, row_marks
from bench.figures.sweep.numbers import SweepLine

_TICKS = 7
"""Values that are marked one by one."""


def draw_sweep(lines: Sequence[SweepLine], option: str, notes: Sequence[str]) -> Figure:
    """All panels, with one legend.

    Args:
        lines: See `bench.figures.sweep.numbers.sweep_lines`.
        option: What stands below the panels.
        notes: Sentences below the figure.
    """
    places = list(dict.fromkeys((line.dataset, line.metric) for line in lines))
    values = sorted({value for line in lines for value, _ in line.points})
    names = list(dict.fromkeys(line.name for line in lines))
    looks = dict(zip(names, zip(line_colours(len(names)), row_marks(len(names)), strict=True), strict=True))

    def draw(page: Page, place: int, left: float, up: float, width: float) -> None:
        axes = page.axes(left, up, width, PANEL)
        for line in lines:
            if (line.dataset, line.metric) != places[place]:
                continue
            colour, mark = looks[line.name]
            there = [(value, point) for value, point in line.points if point.mean is not None]
            axes.plot([v for v, _ in there], [p.mean or 0.0 for _, p in there], f"{mark}-", color=colour, lw=1, ms=3.6)
            banded = [(v, p.low, p.high) for v, p in there if p.low is not None and p.high is not None]
            if banded:
                at, lows, highs = ([each[part] for each in banded] for part in range(3))
                axes.fill_between(at, lows, highs, color=colour, alpha=0.13, lw=0)
        if len(values) <= _TICKS:
            axes.set_xticks(values, [f"{value:g}" for value in values])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid(visible=True, color="0.92", linewidth=0.4)
        axes.set_axisbelow(True)
        axes.tick_params(width=0.4, length=2, pad=2)
        axes.set_xlabel(option, labelpad=1, parse_math=False)
        axes.margins(y=0.08)

    legend = {name: look for name, look in looks.items() if name}
    return panel_page(panel_titles(places), legend, notes, draw, below=0.12)
