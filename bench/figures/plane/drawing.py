"""Two metrics against each other: a panel per dataset and scale, a point per method, the front as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.api import Direction, Scale, format_times
from bench.figures.page import PAGE_WIDTH, Page, line_colours, page_style, panel_bands
from bench.figures.panels import row_marks
from bench.figures.plane.points import PlanePoint
from bench.figures.words import LINE, Legend, notes_of, wrapped, write_notes
from bench.report.grid import Head
from bench.report.model import MethodRow, MetricColumn

_LEFT, _GAP, _BELOW = 0.5, 0.55, 0.42
_TALLEST, _ARROW = 2.2, 0.5
"""Inches of a panel, and of the word with the arrow above it."""


def draw_plane(
    points: Sequence[PlanePoint],
    places: Sequence[tuple[str, Scale]],
    rows: Sequence[MethodRow],
    axes_of: tuple[MetricColumn, MetricColumn],
    notes: Sequence[str],
) -> Figure:
    """All panels with one legend.

    Args:
        points: What there is.
        places: (dataset, scale) of the panels.
        rows: The methods.
        axes_of: The metrics across and upwards, both with a direction.
        notes: Sentences below.
    """
    width, bands = panel_bands(len(places), left=_LEFT, gap=_GAP)
    panel = min(width, _TALLEST)
    looks = dict(zip(rows, zip(line_colours(len(rows)), row_marks(len(rows)), strict=True), strict=True))
    several = len({dataset for dataset, _ in places}) > 1
    titles = [f"{dataset} {format_times(scale)}" if several else f"{format_times(scale)}" for dataset, scale in places]
    with page_style():
        headings = [wrapped(title, width - 2 * _ARROW) for title in titles]
        heads = [max(len(headings[place]) for place in band) * LINE + 0.08 for band in bands]
        legend = Legend([row.display for row in rows], PAGE_WIDTH - 0.3)
        below = notes_of(notes, PAGE_WIDTH - 0.15)
        height = 0.08 + legend.height + sum(head + panel + _BELOW for head in heads) + len(below) * LINE + 0.06
        page = Page(height)
        legend.draw(page, 0.15, 0.06, [looks[row][0] for row in rows], [looks[row][1] for row in rows])
        up = 0.08 + legend.height
        for band, head in zip(bands, heads, strict=True):
            for column, place in enumerate(band):
                left = _LEFT + column * (width + _GAP)
                words = "\n".join(headings[place])
                page.text(left + width / 2, up + head - 0.03, words, va="bottom", parse_math=False)
                look = {"ha": "right", "va": "bottom", "color": "0.45"}
                page.text(left + width, up + head - 0.03, _better(*axes_of), **look)
                own = [point for point in points if (point.dataset, point.scale) == places[place]]
                _panel(page.axes(left, up + head, width, panel), own, looks, axes_of, first=column == 0)
            up += head + panel + _BELOW
        write_notes(page, below, up)
        return page.figure


def _panel(
    axes: Axes,
    points: Sequence[PlanePoint],
    looks: dict[MethodRow, tuple[Any, str]],
    axes_of: tuple[MetricColumn, MetricColumn],
    *,
    first: bool,
) -> None:
    x, y = axes_of
    axes.margins(0.16)
    front = sorted((point.x, point.y) for point in points if point.front)
    # the corner of a step is what no method reaches: between two methods nothing is promised
    steps = "steps-pre" if x.direction is Direction.HIGHER else "steps-post"
    axes.plot([a for a, _ in front], [b for _, b in front], "--", drawstyle=steps, color="0.55", lw=0.8, zorder=1)
    for point in points:
        colour, mark = looks[point.row]
        face = colour if point.front else "white"
        axes.plot([point.x], [point.y], mark, color=colour, mfc=face, ms=4.5, mew=0.9, zorder=2)
    if not points:
        axes.text(0.5, 0.5, "no point has both", ha="center", va="center", color="0.5", transform=axes.transAxes)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    axes.grid(visible=True, color="0.92", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(width=0.4, length=2, pad=2)
    axes.set_xlabel(Head(x.display, direction=x.direction).plain, labelpad=2)
    if first:
        axes.set_ylabel(Head(y.display, direction=y.direction).plain, labelpad=2)


def _better(x: MetricColumn, y: MetricColumn) -> str:
    """An arrow to the corner where both metrics are better."""
    arrows = {(True, True): "↗", (True, False): "↘", (False, True): "↖", (False, False): "↙"}
    return f"better {arrows[x.direction is Direction.HIGHER, y.direction is Direction.HIGHER]}"
