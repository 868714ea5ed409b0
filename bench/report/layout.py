"""Arranging a table on a page: which of scales, metrics and datasets run across, and where to split.

`wide`: column groups are scales, columns metrics, blocks datasets. `by-metric`: column groups are datasets, columns
scales, blocks metrics. `by-scale`: column groups are datasets, columns metrics, blocks scales. `auto` takes the first
of these that fits a page, and splits by dataset, then scales, then metrics where none does.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.api import RequestError, Scale, format_times
from bench.report.ablation import ablation
from bench.report.beside import beside_reported
from bench.report.efficiency import efficiency
from bench.report.grid import Grid, GridBlock, GridRow, Head, metric_head
from bench.report.model import NOT_HERE, MetricColumn, Table
from bench.report.per_image import per_image

AUTO = "auto"
"""The first of FITTING that fits."""

PER_IMAGE = "per-image"
"""The layout of `--per-image`."""
PAGE_WIDTH = 490.0
"""Points across both columns of a two-column page (CVPR 496, IEEE 516)."""
COLUMN_WIDTH = 236.0
"""Points across one column (CVPR 237, IEEE 252)."""
PAGE_ROWS = 46
"""Body rows that leave room for caption and notes on a page in 8 pt type."""
SCREEN_WIDTH = 330.0
"""Points for a terminal or a web page: about 120 characters of Markdown source."""


def printed_width(grid: Grid) -> float:
    """Points that a grid takes on a page."""
    return grid.width


@dataclass(frozen=True)
class Room:
    """The space that a table may take.

    Attributes:
        width: In the unit of `measure`.
        rows: Body rows.
        measure: The width of a grid.
    """

    width: float = PAGE_WIDTH
    rows: float = PAGE_ROWS
    measure: Callable[[Grid], float] = printed_width

    def holds(self, grid: Grid) -> bool:
        """Whether the grid fits."""
        return self.measure(grid) <= self.width and grid.row_count <= self.rows


PAGE = Room()
SCREEN = Room(SCREEN_WIDTH, math.inf)
WHOLE = Room(math.inf, math.inf)


def arrange(table: Table, layout: str = "auto", *, room: Room = PAGE) -> list[Grid]:
    """Lay a table out, split into parts where it does not fit.

    Args:
        table: The table.
        layout: AUTO or one of LAYOUTS; a named one is kept and only split.
        room: What it has to fit: PAGE (LaTeX), SCREEN (Markdown), or nothing (WHOLE).
    Raises:
        RequestError: no such layout.
    """
    if layout not in (AUTO, *LAYOUTS):
        raise RequestError(f"unknown layout '{layout}'; choose --layout {', '.join((AUTO, *LAYOUTS))}")
    makers = list(FITTING.values()) if layout == AUTO else [LAYOUTS[layout]]
    table = replace(table, label=table.label or _own_label(table, layout))
    grids = _fit(table, makers, room, "")
    return [replace(grid, part=(number, len(grids))) for number, grid in enumerate(grids, 1)]


def _by_rows(grid: Grid, room: Room) -> list[Grid]:
    """A grid that nothing else can be split by, in pieces of as many rows as there is room for."""
    if grid.row_count <= room.rows:
        return [grid]
    room_left = int(room.rows) - 1  # the block's title
    pieces = []
    for block in grid.blocks:
        for start in range(0, len(block.rows), room_left):
            rows = block.rows[start : start + room_left]
            own = f"rows {start + 1} to {start + len(rows)}" + (f" of {block.title.plain}" if block.title.plain else "")
            title = "; ".join(text for text in (grid.title, own) if text)
            pieces.append(replace(grid, blocks=(replace(block, rows=rows),), title=title))
    return pieces


def _own_label(table: Table, layout: str) -> str:
    """A label that no table of other rows, sets, scales, metrics, protocol or layout has, such as tab:set5-3fa2c1."""
    names = [*table.datasets, *table.scales, *(m.name for m in table.metrics), *table.methods, table.protocol, layout]
    digest = hashlib.sha256("\0".join(map(str, names)).encode()).hexdigest()[:6]
    words = re.sub(r"[^a-z0-9]+", "-", "-".join(table.datasets[:2]).lower()).strip("-")
    return "tab:" + "-".join(part for part in (words, digest) if part)


def _fit(table: Table, makers: Sequence[Callable[[Table, str], Grid]], room: Room, title: str) -> list[Grid]:
    grids = [make(table, title) for make in makers]
    for grid in grids:
        if room.holds(grid):
            return [grid]
    if len(table.datasets) > 1:
        parts = [(table.part(datasets=[name]), name) for name in table.datasets]
    elif len(table.scales) > 1 and all(room.measure(grid) > room.width for grid in grids):
        halves = _halves(table.scales)
        parts = [(table.part(scales=h), ", ".join(f"{format_times(s)}" for s in h)) for h in halves]
    elif len(table.metrics) > 1:
        parts = [(table.part(metrics=h), ", ".join(m.display for m in h)) for h in _halves(table.metrics)]
    elif len(table.scales) > 1:
        parts = [(table.part(scales=h), ", ".join(f"{format_times(s)}" for s in h)) for h in _halves(table.scales)]
    else:
        return _by_rows(grids[0], room)
    return [grid for part, own in parts for grid in _fit(part, makers, room, "; ".join(t for t in (title, own) if t))]


def _halves(items: Sequence) -> tuple[Sequence, Sequence]:
    middle = (len(items) + 1) // 2
    return items[:middle], items[middle:]


def _wide(table: Table, title: str) -> Grid:
    columns = [(scale, metric) for scale in table.scales for metric in table.metrics]
    return Grid(
        table=table,
        groups=tuple(Head(scale=scale, span=len(table.metrics)) for scale in table.scales),
        columns=tuple(metric_head(metric) for _, metric in columns),
        blocks=tuple(
            _block(table, Head(dataset), [(dataset, scale, metric) for scale, metric in columns])
            for dataset in table.datasets
        ),
        title=title,
    )


def _by_metric(table: Table, title: str) -> Grid:
    columns = [(dataset, scale) for dataset in table.datasets for scale in table.scales]
    return Grid(
        table=table,
        groups=tuple(Head(dataset, span=len(table.scales)) for dataset in table.datasets),
        columns=tuple(Head(scale=scale) for _, scale in columns),
        blocks=tuple(
            _block(table, metric_head(metric), [(dataset, scale, metric) for dataset, scale in columns])
            for metric in table.metrics
        ),
        title=title,
    )


def _by_scale(table: Table, title: str) -> Grid:
    columns = [(dataset, metric) for dataset in table.datasets for metric in table.metrics]
    return Grid(
        table=table,
        groups=tuple(Head(dataset, span=len(table.metrics)) for dataset in table.datasets),
        columns=tuple(metric_head(metric) for _, metric in columns),
        blocks=tuple(
            _block(table, Head(scale=scale), [(dataset, scale, metric) for dataset, metric in columns])
            for scale in table.scales
        ),
        title=title,
    )


def _block(table: Table, title: Head, places: Sequence[tuple[str, Scale, MetricColumn]]) -> GridBlock:
    """One row per method; a method that has nothing to do with these columns is left out."""
    rows = [
        GridRow(row.display, tuple(table.cell(dataset, scale, metric.name, row) for dataset, scale, metric in places))
        for row in table.methods
    ]
    return GridBlock(title, tuple(row for row in rows if any(cell is not NOT_HERE for cell in row.cells)))


FITTING: dict[str, Callable[[Table, str], Grid]] = {"wide": _wide, "by-metric": _by_metric, "by-scale": _by_scale}
"""Those that show the same cells; their order is the one in which AUTO tries them."""
LAYOUTS: dict[str, Callable[[Table, str], Grid]] = {
    **FITTING,
    "ablation": ablation,
    "efficiency": efficiency,
    PER_IMAGE: per_image,
    "reported": beside_reported,
}
"""Name -> (table, title of the part) -> its grid; whoever splits or typesets it needs to know no more."""
