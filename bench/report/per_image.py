"""The layout of `--per-image`: a row per image, a column per method, and the mean that other tables show below."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from bench.analysis import RunFrames
from bench.api import RequestError, Scale, format_times
from bench.report.grid import Grid, GridBlock, GridRow, Head
from bench.report.model import CellKey, Mark, MethodRow, MetricColumn, Table, TableCell, mark_printed, printed
from bench.report.ties import CellValues

MEAN = "Mean"
_ABSENT = TableCell(None, "", reason="no value of this image")


def with_images(table: Table, rows: pd.DataFrame, frames: RunFrames) -> Table:
    """The table with its values image by image, each the mean over its seeds.

    Args:
        table: Made of `rows`.
        rows: The summary rows.
        frames: The run.
    Raises:
        RequestError: there are no such values, as for metrics of whole sets.
    """
    values = CellValues(rows, frames)
    found = {key: {name: each.value for name, each in values.of(key).items()} for key in table.cells if key in values}
    found = {key: images for key, images in found.items() if images}
    if not found:
        names = ", ".join(metric.display for metric in table.metrics)
        raise RequestError(f"--per-image: {names} has no values of single images here; choose others with --metrics")
    return replace(table, by_image=found)


def per_image(table: Table, title: str) -> Grid:
    """Rows are images, groups metrics, columns methods, blocks a dataset at a scale."""
    blocks = []
    for dataset in table.datasets:
        for scale in table.scales:
            lines = _lines(table, dataset, scale)
            if lines:
                blocks.append(GridBlock(Head(f"{dataset} {format_times(scale)}"), tuple(lines)))
    return Grid(
        table=table,
        groups=tuple(Head(m.display, direction=m.direction, span=len(table.methods)) for m in table.metrics),
        columns=tuple(Head(row.display) for _ in table.metrics for row in table.methods),
        blocks=tuple(blocks),
        title=title,
        stub="Image",
    )


def _lines(table: Table, dataset: str, scale: Scale) -> list[GridRow]:
    """The images of a set at one scale, then their mean."""
    columns = [(metric, row, _key(dataset, scale, metric, row)) for metric in table.metrics for row in table.methods]
    names = sorted({name for _, _, key in columns for name in table.by_image.get(key, ())})
    lines = []
    for name in names:
        cells: list[TableCell] = []
        for metric in table.metrics:
            own = {row: table.by_image.get(_key(dataset, scale, metric, row), {}).get(name) for row in table.methods}
            cells += _marked(own, metric)
        lines.append(GridRow(name, tuple(cells)))
    if lines:
        means = tuple(table.cell(dataset, scale, metric.name, row) for metric, row, _ in columns)
        lines.append(GridRow(MEAN, means))
    return lines


def _marked(values: dict[MethodRow, float | None], metric: MetricColumn) -> list[TableCell]:
    """The cells of one image in one metric, with the best and the second best of the methods that may be ranked."""
    texts = {row: printed(value, metric.decimals) for row, value in values.items() if value is not None}
    marks = mark_printed({r: t for r, t in texts.items() if not r.trained_by(metric.name)}, metric.direction)
    return [
        _ABSENT if value is None else TableCell(value, texts[row], mark=marks.get(row, Mark.NONE))
        for row, value in values.items()
    ]


def _key(dataset: str, scale: Scale, metric: MetricColumn, row: MethodRow) -> CellKey:
    return CellKey(dataset, scale, metric.name, row.method, row.variant)
