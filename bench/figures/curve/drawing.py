"""Curves over the scales: a panel per dataset and metric, a line with a band per method, and where each was trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from bench.api import format_times, largest_factor
from bench.figures.curve.numbers import Line, Point
from bench.figures.page import Page, line_colours
from bench.figures.panels import PANEL, panel_page, panel_titles, row_marks
from bench.figures.words import width_of
from bench.report.model import MethodRow

_BAR = 0.055
"""Inches of a bar of training scales."""


def draw_curves(
    lines: Sequence[Line],
    rows: Sequence[MethodRow],
    trained: Mapping[MethodRow, tuple[float, float]],
    notes: Sequence[str],
) -> Figure:
    """All panels, with one legend.

    Args:
        lines: See `bench.figures.curve.numbers.lines_of`.
        rows: The methods.
        trained: Smallest and largest scale of a method's training, where that is known.
        notes: Sentences below.
    """
    places = list(dict.fromkeys((line.dataset, line.metric) for line in lines))
    colours = dict(zip(rows, line_colours(len(rows)), strict=True))
    marks = dict(zip(rows, row_marks(len(rows)), strict=True))
    strip = _BAR * sum(row in trained for row in rows)

    def draw(page: Page, place: int, left: float, up: float, width: float) -> None:
        axes = page.axes(left, up, width, PANEL)
        own = [line for line in lines if (line.dataset, line.metric) == places[place]]
        _panel(axes, own, colours, marks, trained)
        if strip:
            bar = page.axes(left, up + PANEL, width, strip)
            _training(bar, axes, [row for row in rows if row in trained], colours, trained)

    return panel_page(
        panel_titles(places), {row.display: (colours[row], marks[row]) for row in rows}, notes, draw, below=strip
    )


def _panel(
    axes: Axes,
    lines: Sequence[Line],
    colours: Mapping[MethodRow, Any],
    marks: Mapping[MethodRow, str],
    trained: Mapping[MethodRow, tuple[float, float]],
) -> None:
    scales = sorted({_place(point) for line in lines for point in line.points})
    spans = list(dict.fromkeys(trained[line.row] for line in lines if line.row in trained))
    # how far a method is from its training is seen only where the training is on the page
    least = min([scales[0], *(low for low, _ in spans)])
    axes.set_xscale("log", base=2)
    axes.set_xlim(least / 1.12, scales[-1] * 1.12)
    for low, high in spans:
        axes.axvspan(low, min(high, scales[-1] * 1.12), color="0.5", alpha=0.1, lw=0)
    for line in lines:
        there = [point for point in line.points if point.mean is not None]
        colour, mark = colours[line.row], marks[line.row]
        places = [_place(point) for point in there]
        axes.plot(places, [_number(point.mean) for point in there], "-", color=colour, lw=1)
        for point in there:
            inside = _inside(_place(point), trained.get(line.row))
            face = colour if inside else "white"
            axes.plot([_place(point)], [_number(point.mean)], mark, color=colour, mfc=face, ms=3.6, mew=0.8)
        banded = [point for point in there if point.low is not None]
        if banded:
            lows, highs = [_number(point.low) for point in banded], [_number(point.high) for point in banded]
            axes.fill_between([_place(point) for point in banded], lows, highs, color=colour, alpha=0.13, lw=0)
    if not any(point.mean is not None for line in lines for point in line.points):
        axes.text(0.5, 0.5, "no means", ha="center", va="center", color="0.5", transform=axes.transAxes)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=True, color="0.92", linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(width=0.4, length=2, pad=2)
    _ticks(axes, scales, [end for span in spans for end in span if end < scales[-1]])
    axes.margins(y=0.08)


def _training(
    bar: Axes,
    panel: Axes,
    rows: Sequence[MethodRow],
    colours: Mapping[MethodRow, Any],
    trained: Mapping[MethodRow, tuple[float, float]],
) -> None:
    """A bar per method below its panel, from the smallest to the largest scale of its training."""
    bar.set_xscale("log", base=2)
    low_end, high_end = panel.get_xlim()
    bar.set_xlim(low_end, high_end)
    bar.set_ylim(len(rows), 0)
    for number, row in enumerate(rows):
        low, high = trained[row]
        ends = [max(low, low_end), min(high, high_end)]
        if low == high:
            bar.plot([low], [number + 0.5], "|", color=colours[row], ms=4)
        elif ends[0] < ends[1]:
            bar.plot(ends, [number + 0.5] * 2, "-", color=colours[row], lw=2, solid_capstyle="butt")
    bar.set_yticks([])
    ticks = panel.get_xticks()
    bar.set_xticks(ticks, [label.get_text() for label in panel.get_xticklabels()])
    bar.xaxis.set_minor_locator(NullLocator())
    bar.tick_params(width=0.4, length=2, pad=2)
    panel.tick_params(labelbottom=False)


def _ticks(axes: Axes, scales: Sequence[float], ends: Sequence[float]) -> None:
    """Marks at the scales, then at the ends of trainings, where there is room for their names."""
    low, high = axes.get_xlim()
    inches = axes.get_window_extent().width / axes.figure.dpi / math.log(high / low)
    shown: list[float] = []
    for scale in (*scales, *ends):
        width = width_of(f"{format_times(scale)}")
        room = [(width + width_of(f"{format_times(other)}")) / 2 + 0.06 for other in shown]
        if all(abs(math.log(scale / o)) * inches > gap for o, gap in zip(shown, room, strict=True)):
            shown.append(scale)
    shown.sort()
    axes.set_xticks(shown, [f"{format_times(scale)}" for scale in shown])
    axes.xaxis.set_minor_locator(NullLocator())


def _place(point: Point) -> float:
    """Where a point stands on the axis; lines hold scales of one factor only."""
    return largest_factor(point.scale)


def _inside(scale: float, span: tuple[float, float] | None) -> bool:
    return span is None or span[0] <= scale <= span[1]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
