"""Two panels with logarithmic axes: what was measured as marks, the fitted power as a line, its slope in the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.figures.page import PAGE_WIDTH, Page, line_colours, page_style
from bench.figures.panels import row_marks
from bench.figures.words import LINE, Legend, notes_of, write_notes
from bench.profile.growth import Growth

_LEFT, _GAP, _PANEL, _BELOW = 0.5, 0.6, 2.3, 0.36
"""Inches: at the left of the page, between panels, a panel's height, below it."""
_TITLES = {"time": ("Time per image", "seconds", 1.0), "memory": ("Peak memory above the loaded state", "MB", 1e6)}
"""Quantity -> its title, its unit, and what that unit is of seconds or bytes."""


def draw_growth(curves: Mapping[str, Sequence[Growth]], notes: Sequence[str]) -> Figure:
    """The figure.

    Args:
        curves: Quantity -> its methods, the same ones in each.
        notes: Sentences below.
    """
    count = max(len(own) for own in curves.values())
    colours, marks = line_colours(count), row_marks(count)
    width = (PAGE_WIDTH - _LEFT - 0.1 - _GAP * (len(curves) - 1)) / len(curves)
    with page_style():
        legends = {quantity: Legend([_name(growth) for growth in own], width) for quantity, own in curves.items()}
        below = notes_of(notes, PAGE_WIDTH - 0.15)
        top = 0.1 + LINE
        under = top + _PANEL + _BELOW + max(legend.height for legend in legends.values()) + 0.05
        page = Page(under + len(below) * LINE + 0.06)
        for column, (quantity, own) in enumerate(curves.items()):
            left = _LEFT + column * (width + _GAP)
            title, unit, one = _TITLES[quantity]
            page.text(left + width / 2, top - 0.03, f"{title} ({unit})", va="bottom")
            _panel(page.axes(left, top, width, _PANEL), own, colours, marks, one)
            legends[quantity].draw(page, left, top + _PANEL + _BELOW, colours, marks)
        write_notes(page, below, under)
        return page.figure


def _name(growth: Growth) -> str:
    slope = f": {growth.fit.words}" if growth.fit is not None else ""
    return f"{growth.row.display}{slope}"


def _panel(axes: Axes, own: Sequence[Growth], colours: Sequence[Any], marks: Sequence[str], one: float) -> None:
    axes.set(xscale="log", yscale="log", xlabel="pixels of the result")
    for growth, colour, mark in zip(own, colours, marks, strict=False):
        pixels = [point.pixels for point in growth.points]
        values = [point.value / one for point in growth.points]
        bars = [
            [(point.value - point.low) / one for point in growth.points],
            [(point.high - point.value) / one for point in growth.points],
        ]
        axes.errorbar(pixels, values, bars, fmt=mark, color=colour, ms=3.4, mew=0.8, elinewidth=0.7, capsize=1.5)
        if growth.fit is not None:
            ends = (min(pixels), max(pixels))
            axes.plot(ends, [growth.fit.at(end) / one for end in ends], "-", color=colour, lw=0.9)
    places = sorted({point.pixels for growth in own for point in growth.points})
    axes.set_xticks(places, [_side(pixels) for pixels in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(width=0.4, length=2, pad=2)
    axes.grid(visible=True, color="0.92", linewidth=0.4)
    axes.set_axisbelow(True)


def _side(pixels: int) -> str:
    """A square by its side, anything else in megapixels."""
    side = round(pixels**0.5)
    return f"{side}²" if side * side == pixels else f"{pixels / 1e6:.2g} MP"
