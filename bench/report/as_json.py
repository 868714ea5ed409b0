"""Tables as JSON: what is printed, cell by cell, with what stands under it; its fields are those of these classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import pandas as pd

from bench.analysis.frame_csv import frame_csv
from bench.api import Scale
from bench.report.grid import Grid
from bench.report.notes import Code, default_caption, footnote_reason, note_lines, part_caption
from bench.report.plain import json_value

FORMAT = "assr-bench-tables"
VERSION = 1


@dataclass(frozen=True)
class JsonCell:
    """One printed cell.

    Attributes:
        block, row, group, column: The headings that it stands under; empty where there is none.
        value: The number; None for a missing or incomplete one, "inf" and "-inf" for infinite ones.
        text: As printed; "37/100" for an incomplete cell.
        sd: Between seeds, as printed; empty for one seed.
        mark: "best", "second" or "".
        note: The footnote: why there is no number, or why it is doubtful.
        images, seeds: How many the number should cover.
        source: Id of the set of images; empty where nobody says.
    """

    block: str
    row: str
    group: str
    column: str
    value: float | None
    text: str
    sd: str
    mark: str
    note: str
    images: int
    seeds: int
    source: str


@dataclass(frozen=True)
class JsonSignature:
    """How the numbers of a metric were made; empty `scales` and `datasets` stand for all of the table."""

    metric: str
    scales: tuple[Scale, ...]
    datasets: tuple[str, ...]
    signature: str


@dataclass(frozen=True)
class JsonMetric:
    """A metric: "higher" or "lower" is better, None where nobody says."""

    name: str
    display: str
    direction: str | None
    decimals: int


@dataclass(frozen=True)
class JsonMethod:
    """A row: its registered name, its variant and what tables call it."""

    method: str
    variant: str
    display: str


@dataclass(frozen=True)
class JsonTable:
    """A table; `notes` are the lines under it without the footnotes, which stand at their cells."""

    caption: str
    label: str
    protocol: str
    datasets: tuple[str, ...]
    scales: tuple[Scale, ...]
    metrics: tuple[JsonMetric, ...]
    methods: tuple[JsonMethod, ...]
    signatures: tuple[JsonSignature, ...]
    notes: tuple[str, ...]
    cells: tuple[JsonCell, ...]


def render_json(grids: Sequence[Grid]) -> str:
    """{"format", "version", "tables": [JsonTable, ...]}.

    Args:
        grids: What `arrange` made of one or several tables.
    """
    content = {"format": FORMAT, "version": VERSION, "tables": [asdict(json_table(grid)) for grid in grids]}
    return json.dumps(json_value(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def render_csv(grids: Sequence[Grid]) -> str:
    """The cells of `JsonTable`, one per line, infinity as inf; as for `render_json`."""
    lines = [asdict(cell) for grid in grids for cell in _cells(grid)]
    columns = pd.Index([column.name for column in fields(JsonCell)])
    return frame_csv(pd.DataFrame(lines, columns=columns))


def json_table(grid: Grid) -> JsonTable:
    """A grid as what JSON holds of it."""
    table = grid.table
    lines = [line for line in note_lines(grid) if not line.letter]
    return JsonTable(
        caption=(table.caption or default_caption(table)) + part_caption(grid.title, grid.part),
        label=grid.label,
        protocol=table.protocol,
        datasets=table.datasets,
        scales=table.scales,
        metrics=tuple(JsonMetric(m.name, m.display, m.direction, m.decimals) for m in table.metrics),
        methods=tuple(JsonMethod(row.method, row.variant, row.display) for row in table.methods),
        signatures=tuple(JsonSignature(s.metric, s.scales, s.datasets, s.signature) for s in table.signatures),
        notes=tuple("".join(p.text if isinstance(p, Code) else p for p in line.parts) for line in lines),
        cells=tuple(_cells(grid)),
    )


def _cells(grid: Grid) -> list[JsonCell]:
    groups = [head.plain for head in grid.groups for _ in range(head.span)] or [""] * len(grid.columns)
    return [
        JsonCell(
            block.title.plain,
            row.name,
            group,
            column.plain,
            cell.value,
            cell.text,
            cell.sd,
            str(cell.mark),
            footnote_reason(cell),
            cell.expected,
            cell.seeds,
            cell.source,
        )
        for block in grid.blocks
        for row in block.rows
        for group, column, cell in zip(groups, grid.columns, row.cells, strict=True)
    ]
