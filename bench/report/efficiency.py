"""The layout `efficiency`: parameters, seconds per image and seconds per megapixel of output, as far as recorded."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from bench.analysis import RunFrames
from bench.analysis.costs import cell_costs, parameters
from bench.analysis.signatures import format_scales
from bench.report.grid import Grid, GridBlock, GridRow, Head
from bench.report.model import NOT_HERE, MethodRow, RowCost, Table, TableCell

_UNKNOWN = "not recorded"
_NOTE = "Time: of the method alone, mean over images as each was made; s/MP: per megapixel of output."
_LACKING = "Multiply-adds and memory are not recorded by a run."


def with_costs(table: Table, rows: pd.DataFrame, frames: RunFrames) -> Table:
    """The table with what its rows cost, and a note on the machine.

    Args:
        table: Made of `rows`.
        rows: The summary rows.
        frames: The run.
    """
    costs = cell_costs(frames.records)
    size = {row: parameters(frames.row(row.method, row.variant)) for row in table.methods}
    cells = rows[["method", "variant", "dataset", "scale"]].drop_duplicates().itertuples(index=False, name=None)
    own = {(row.method, row.variant): row for row in table.methods}
    found = {}
    for method, variant, dataset, scale in cells:
        row, cost = own[method, variant], costs.get((method, variant, dataset, scale))
        found[dataset, scale, row] = RowCost(
            parameters=size[row],
            seconds=None if cost is None else cost.seconds,
            per_megapixel=None if cost is None else cost.per_megapixel,
        )
    machine = f"Machine: {frames.machine}." if frames.machine else "The machine is not recorded."
    return replace(table, costs=found, notes=(_NOTE, machine, _LACKING, *table.row_notes))


def efficiency(table: Table, title: str) -> Grid:
    """Rows are methods, groups scales, blocks datasets; a method's parameters stand in front."""
    heads = [Head("Params (M)")]
    groups = [Head()]
    for scale in table.scales:
        heads += [Head("Time (s)"), Head("s/MP")]
        groups.append(Head(scale=scale, span=2))
    blocks = []
    for dataset in table.datasets:
        lines = [_line(table, dataset, row) for row in table.methods]
        blocks.append(GridBlock(Head(dataset), tuple(line for line in lines if line is not None)))
    about = f"Cost of super-resolution at {format_scales(table.scales)}."
    return Grid(
        table=replace(table, metrics=(), signatures=(), protocol="", caption=table.caption or about),
        groups=tuple(groups),
        columns=tuple(heads),
        blocks=tuple(blocks),
        title=title,
    )


def _line(table: Table, dataset: str, row: MethodRow) -> GridRow | None:
    """The row of a method; None for one that has nothing to do with this dataset."""
    costs = [table.costs.get((dataset, scale, row)) for scale in table.scales]
    known = next((cost for cost in costs if cost is not None), None)
    if known is None:
        return None
    cells = [_cell(None if known.parameters is None else known.parameters / 1e6)]
    for cost in costs:
        times = (NOT_HERE, NOT_HERE) if cost is None else (_cell(cost.seconds), _cell(cost.per_megapixel))
        cells += times
    return GridRow(row.display, tuple(cells))


def _cell(value: float | None) -> TableCell:
    """Three significant digits, since one table holds milliseconds and minutes."""
    if value is None:
        return TableCell(None, "", reason=_UNKNOWN)
    decimals = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return TableCell(value, f"{value:.{decimals}f}")
