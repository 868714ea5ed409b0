"""Matrices of a cross-scale metric as text: CSV, LaTeX and Markdown, with what stands under a table.

Rows are output scales, columns the reference scales at whose size both outputs are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis import RunFrames, Selection
from bench.analysis.frame_csv import frame_csv
from bench.analysis.signatures import signature_lines
from bench.api import Direction, MetricInfo, MetricRef, Scale, format_scale, format_times
from bench.figures.selfssim.matrix import DIAGONAL, ScaleMatrix, matrix_rows, scale_matrices
from bench.metrics.catalog import known_infos
from bench.report.build import TableOptions, build_table, untrained
from bench.report.exports import Output, render
from bench.report.grid import Grid, GridBlock, GridRow, Head
from bench.report.layout import Room
from bench.report.model import MethodRow, MetricColumn, Table, TableCell

CSV_COLUMNS = (
    "dataset",
    "method",
    "variant",
    "output_scale",
    "reference_scale",
    "mean",
    "n",
    "expected",
    "signature",
)
"""Long form, one line per cell; the mean is empty where there is none, and the diagonal is 1 of 0 images."""

ITSELF = TableCell(1.0, "1")
"""An output against itself."""


@dataclass(frozen=True)
class Matrices:
    """What is drawn and typeset.

    Attributes:
        matrices: Of trained methods.
        table: The same numbers with what stands under a table; its cells are of the metrics "selfssim@8", its one
            metric is that without reference.
    """

    matrices: tuple[ScaleMatrix, ...]
    table: Table

    @property
    def metric(self) -> MetricColumn:
        """The metric without reference."""
        return self.table.metrics[0]

    def method(self, matrix: ScaleMatrix) -> MethodRow:
        """The method of a matrix under its printed name."""
        return next(r for r in self.table.methods if (r.method, r.variant) == (matrix.method, matrix.variant))


def run_matrices(frames: RunFrames, metric: str, selection: Selection, options: TableOptions) -> Matrices:
    """The matrices of a run.

    Args:
        frames: The run.
        metric: A cross-scale metric without reference, such as "selfssim".
        selection: What to keep; its metrics are not looked at.
        options: Caption and label.
    Raises:
        RequestError: as `matrix_rows` and `build_matrices`.
    """
    rows = matrix_rows(frames.summary, metric, selection, protocols=frames.protocols)
    return build_matrices(rows, known_infos([metric]), frames=frames, protocol=selection.protocol, options=options)


def build_matrices(
    rows: pd.DataFrame,
    infos: Mapping[str, MetricInfo],
    *,
    frames: RunFrames | None = None,
    protocol: str | None = None,
    options: TableOptions | None = None,
) -> Matrices:
    """Make the matrices of the rows that `bench.figures.selfssim.matrix.matrix_rows` chose.

    Args:
        rows: MATRIX_COLUMNS. Untrained variants are left out and named in a note.
        infos, frames, protocol: As for `build_table`.
        options: Caption and label.
    Raises:
        RequestError: nothing but untrained methods.
    """
    known = frames if frames is not None else RunFrames(records=pd.DataFrame(), planned=())
    table = build_table(rows, infos, frames=known, protocol=protocol, options=options or TableOptions())
    trained = rows.loc[~untrained(rows, known)]
    matrices = scale_matrices(trained)
    metric = matrices[0].metric
    info = infos.get(metric)
    column = MetricColumn(metric, info.display, info.direction, info.decimals) if info else None
    table = replace(
        table,
        metrics=(column or MetricColumn(metric, metric, None, 4),),
        signatures=tuple(signature_lines(trained.assign(metric=metric))),
        label=table.label or f"tab:{metric}",
    )
    return Matrices(matrices, replace(table, caption=table.caption or _caption(table)))


def matrices_csv(found: Matrices) -> str:
    """The cells as CSV with CSV_COLUMNS."""
    lines = [
        (
            *(matrix.dataset, matrix.method, matrix.variant, format_scale(output), format_scale(reference)),
            *(cell.mean, cell.n, cell.expected, cell.signature),
        )
        for matrix in found.matrices
        for output, row in zip(matrix.scales, matrix.cells, strict=True)
        for reference, cell in zip(matrix.scales, row, strict=True)
    ]
    return frame_csv(pd.DataFrame(lines, columns=pd.Index(CSV_COLUMNS)))


def typeset_matrices(found: Matrices, output: str | Output) -> str:
    """The matrices as text: a block per method and a table per dataset, or CSV_COLUMNS as "csv".

    Raises:
        RequestError: an unknown output, or a label that LaTeX cannot hold.
    """
    if output == "csv":
        return matrices_csv(found)
    return render(output, lambda room: _grids(found, room))


def _caption(table: Table) -> str:
    metric = table.metrics[0]
    better = {Direction.HIGHER: " (higher is better)", Direction.LOWER: " (lower is better)", None: ""}
    return (
        f"{metric.display}{better[metric.direction]} between the outputs at two scales: the one of a row against that "
        f"of a column, at the size of the latter, on {', '.join(table.datasets)}."
    )


def _grids(found: Matrices, room: Room) -> list[Grid]:
    """A grid per dataset, or more where the methods of one do not fit the room."""
    grids: list[Grid] = []
    for dataset in found.table.datasets:
        own = [matrix for matrix in found.matrices if matrix.dataset == dataset]
        table = found.table.part(datasets=[dataset])
        grid = _grid(table, own[0].scales, [], dataset)
        for matrix in own:
            longer = replace(grid, blocks=(*grid.blocks, _block(found, matrix)))
            if grid.blocks and longer.row_count > room.rows:
                grids.append(grid)
                longer = _grid(table, matrix.scales, [_block(found, matrix)], dataset)
            grid = longer
        grids.append(grid)
    return [replace(grid, part=(number, len(grids))) for number, grid in enumerate(grids, 1)]


def _grid(table: Table, scales: Sequence[Scale], blocks: Sequence[GridBlock], title: str) -> Grid:
    return Grid(
        table=table,
        groups=(Head("Reference scale", span=len(scales)),),
        columns=tuple(Head(scale=scale) for scale in scales),
        blocks=tuple(blocks),
        title=title,
        stub="Output scale",
    )


def _block(found: Matrices, matrix: ScaleMatrix) -> GridBlock:
    method = found.method(matrix)
    rows = []
    for output, line in zip(matrix.scales, matrix.cells, strict=True):
        cells = [
            ITSELF
            if cell is DIAGONAL
            else found.table.cell(matrix.dataset, output, str(MetricRef(matrix.metric, reference)), method)
            for reference, cell in zip(matrix.scales, line, strict=True)
        ]
        rows.append(GridRow(format_times(output), tuple(cells)))
    return GridBlock(Head(method.display), tuple(rows))
