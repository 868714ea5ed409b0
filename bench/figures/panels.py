"""A page of panels, one per dataset and metric, with one legend above and notes below: the frame of all curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from bench.figures.page import PAGE_WIDTH, Page, page_style, panel_bands
from bench.figures.words import LINE, Legend, notes_of, wrapped, write_notes
from bench.report.grid import Head
from bench.report.model import MetricColumn

MARKERS = "osD^vP*Xp<>h"
"""A marker per line, so that colour is not all that tells them apart."""
PANEL = 1.55
"""Inches of a panel's height."""
_LEFT, _GAP, _BELOW = 0.5, 0.5, 0.28
"""Inches: at the left of the page, between panels, and below a panel."""

DrawPanel = Callable[[Page, int, float, float, float], None]
"""(page, number of the panel, its left edge, its top edge, its width), in inches."""


def row_marks(count: int) -> list[str]:
    """A marker for each of so many lines."""
    return [MARKERS[number % len(MARKERS)] for number in range(count)]


def panel_titles(places: Sequence[tuple[str, MetricColumn]]) -> list[str]:
    """What stands above each panel: the metric, and the dataset where there are several."""
    several = len({dataset for dataset, _ in places}) > 1
    heads = [Head(metric.display, direction=metric.direction).plain for _, metric in places]
    return [f"{dataset}: {head}" if several else head for (dataset, _), head in zip(places, heads, strict=True)]


def panel_page(
    titles: Sequence[str],
    legend: Mapping[str, tuple[Any, str]],
    notes: Sequence[str],
    draw: DrawPanel,
    *,
    below: float = 0.0,
) -> Figure:
    """Lay out panels, three across.

    Args:
        titles: One per panel.
        legend: Name -> (colour, marker) of each line.
        notes: Sentences below.
        draw: Draws one panel at its place.
        below: Inches that a panel needs below itself, beside the room for its ticks.
    """
    width, bands = panel_bands(len(titles), left=_LEFT, gap=_GAP)
    words = [wrapped(title, width) for title in titles]
    heads = [max(len(words[place]) for place in band) * LINE + 0.08 for band in bands]
    with page_style():
        names = Legend(list(legend), PAGE_WIDTH - 0.3)
        lines = notes_of(notes, PAGE_WIDTH - 0.15)
        up = 0.08 + names.height
        page = Page(up + sum(head + PANEL + below + _BELOW for head in heads) + len(lines) * LINE + 0.06)
        names.draw(page, 0.15, 0.06, [colour for colour, _ in legend.values()], [mark for _, mark in legend.values()])
        for band, head in zip(bands, heads, strict=True):
            for column, place in enumerate(band):
                left = _LEFT + column * (width + _GAP)
                title = "\n".join(words[place])
                page.text(left + width / 2, up + head - 0.03, title, va="bottom", parse_math=False)
                draw(page, place, left, up + head, width)
            up += head + PANEL + below + _BELOW
        write_notes(page, lines, up)
        return page.figure
