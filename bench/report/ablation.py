"""The layout `ablation`: variants of one method, each with its difference from the first, the default."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.ablation import mean_difference
from bench.api import RequestError, Scale
from bench.report.grid import Grid, GridBlock, GridRow, Head, metric_head
from bench.report.model import CellKey, MethodRow, MetricColumn, Table, TableCell, signed

DELTA = "Δ"
"""The heading of differences."""
_ITSELF = TableCell(None, "")
"""The difference of the default from itself."""


def ablation(table: Table, title: str) -> Grid:
    """Rows are variants, groups scales, columns metrics with differences, blocks datasets.

    Raises:
        RequestError: the rows are of several methods, or of a single variant.
    """
    methods = list(dict.fromkeys(row.method for row in table.methods))
    if len(methods) != 1 or len(table.methods) < 2:
        seen = f"the rows are of {', '.join(methods)}" if len(methods) > 1 else f"there is only {methods[0]} itself"
        raise RequestError(
            f"--layout ablation: expected variants of one method, but {seen}; choose one with --methods, and make "
            "variants with 'bench run --versus METHOD.OPTION=VALUE'"
        )
    default = table.methods[0]
    places = [(scale, metric) for scale in table.scales for metric in table.metrics]
    blocks = []
    for dataset in table.datasets:
        lines = []
        for row in table.methods:
            cells = [
                cell
                for scale, metric in places
                for cell in (
                    table.cell(dataset, scale, metric.name, row),
                    _difference(table, dataset, scale, metric, row, default),
                )
            ]
            lines.append(GridRow(row.display, tuple(cells)))
        blocks.append(GridBlock(Head(dataset), tuple(lines)))
    return Grid(
        table=replace(table, notes=(f"{DELTA}: difference from {default.display}.", *table.notes)),
        groups=tuple(Head(scale=scale, span=2 * len(table.metrics)) for scale in table.scales),
        columns=tuple(head for _, metric in places for head in (metric_head(metric), Head(DELTA))),
        blocks=tuple(blocks),
        title=title,
        stub="Variant",
    )


def _difference(
    table: Table, dataset: str, scale: Scale, metric: MetricColumn, row: MethodRow, default: MethodRow
) -> TableCell:
    if row == default:
        return _ITSELF
    mine, theirs = (
        table.cells.get(CellKey(dataset, scale, metric.name, each.method, each.variant)) for each in (row, default)
    )
    if mine is None or theirs is None or mine.value is None or theirs.value is None:
        return TableCell(None, "", reason="one of the two has no mean")
    if (mine.expected, mine.source) != (theirs.expected, theirs.source):
        return TableCell(None, "", reason="the two were scored on different images")
    difference = mean_difference(mine.value, theirs.value)
    if difference is None:
        return TableCell(None, "", reason="both are infinite")
    return TableCell(difference, signed(difference, metric.decimals))
