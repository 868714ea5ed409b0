"""A table arranged for print: headings, blocks and rows of cells, and how wide that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.api import Direction, Scale, format_times
from bench.report.model import MetricColumn, Table, TableCell

DEFAULT_LABEL = "tab:assr-bench"
"""Of a table that says none itself."""
_DIGIT, _LETTER, _HEADING, _SMALL, _GAP = 4.3, 4.9, 4.4, 3.3, 8.0
"""Widths in points at 8 pt: a digit, a letter of a name, one of a heading (with its arrow), a digit of the sd, and the
space between two columns; within 5 % of what LaTeX measures."""


@dataclass(frozen=True)
class Head:
    """A heading: text, arrow (direction) and how many columns it spans; a `scale` is set as ×s."""

    text: str = ""
    scale: Scale | None = None
    direction: Direction | None = None
    span: int = 1

    @property
    def plain(self) -> str:
        """The heading in unescaped text."""
        arrow = {Direction.HIGHER: " ↑", Direction.LOWER: " ↓", None: ""}[self.direction]
        return (self.text if self.scale is None else f"{format_times(self.scale)}") + arrow


@dataclass(frozen=True)
class GridRow:
    """A printed row."""

    name: str
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class GridBlock:
    """Rows under one title (empty for a table with a single block that needs none)."""

    title: Head
    rows: tuple[GridRow, ...]


@dataclass(frozen=True)
class Grid:
    """A table arranged for print: optional group headings over the columns, then the blocks."""

    table: Table
    groups: tuple[Head, ...]
    columns: tuple[Head, ...]
    blocks: tuple[GridBlock, ...]
    title: str = ""
    """What sets this part apart, where the table is split."""
    part: tuple[int, int] = (1, 1)
    """(number of this part, number of parts)."""
    stub: str = "Method"
    """The heading above the names of the rows."""

    @property
    def label(self) -> str:
        """For references: the table's, with the number of the part behind it."""
        number, total = self.part
        label = self.table.label or DEFAULT_LABEL
        return label if total == 1 else f"{label}-{number}"

    @property
    def cells(self) -> list[TableCell]:
        """The printed cells, row by row."""
        return [cell for block in self.blocks for row in block.rows for cell in row.cells]

    @property
    def headings(self) -> list[tuple[str, str]]:
        """(text of the group, text of the column) per column; no group where a single one says nothing."""
        over = [head for head in self.groups if len(self.groups) > 1 or head.scale is not None]
        groups = [head.plain for head in over for _ in range(head.span)] or [""] * len(self.columns)
        return [(group, head.plain) for group, head in zip(groups, self.columns, strict=True)]

    @property
    def row_count(self) -> int:
        """Body rows with the titles of the blocks."""
        return sum(len(block.rows) + bool(block.title.plain) for block in self.blocks)

    @property
    def width(self) -> float:
        """Estimated width in points, set at 8 pt."""
        cells = self.cells
        names = [row.name for block in self.blocks for row in block.rows]
        width = max(map(len, [*names, self.stub])) * _LETTER
        widths = [
            max([len(head.plain) * _HEADING, *map(_cell_width, cells[i :: len(self.columns)])])
            for i, head in enumerate(self.columns)
        ]
        at = 0
        for group in self.groups:
            inside = sum(widths[at : at + group.span]) + _GAP * (group.span - 1)
            width += max(0.0, len(group.plain) * _LETTER - inside)
            at += group.span
        return width + sum(widths) + _GAP * len(widths)


def metric_head(metric: MetricColumn) -> Head:
    """The heading of a metric's column."""
    return Head(metric.display, direction=metric.direction)


def text_width(lengths: Sequence[int]) -> float:
    """Estimated width in points of columns of texts, the longest of which have these numbers of characters."""
    return sum(lengths) * _LETTER + _GAP * (len(lengths) - 1)


def _cell_width(cell: TableCell) -> float:
    sd = (len(cell.sd) + 2) * _SMALL if cell.sd else 0.0
    return max(len(cell.text), 2) * _DIGIT + sd
