"""Matrices of a cross-scale metric: heat maps side by side, and their numbers as CSV, LaTeX and Markdown.

Rows are output scales, columns the reference scales at whose size both outputs are compared.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.analysis.matrix import DIAGONAL, MatrixCell, ScaleMatrix, scale_matrices
from bench.analysis.signatures import signature_lines
from bench.api import Direction, MetricInfo, MetricRef, RequestError, format_scale
from bench.report.build import TableOptions, build_table, untrained
from bench.report.figures import COLOUR_MAP, PAGE_WIDTH, Page, page_style
from bench.report.latex import render_latex
from bench.report.layout import PAGE, SCREEN, Grid, GridBlock, GridRow, Head, Room
from bench.report.markdown import render_markdown
from bench.report.model import MethodRow, MetricColumn, Table, TableCell, printed

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

_ITSELF = TableCell(1.0, "1")
_CELL, _SIZE, _SMALL = 0.33, 6.5, 5.5
"""The smallest side of a cell in inches; points of a mean, and of what stands where there is none."""
_DIGIT, _TITLE = 0.0088, 0.068
"""Inches: a digit per point of its size, and a letter of a title."""
_MARGIN, _TOP, _BELOW, _GAP, _BAR = 0.18, 0.42, 0.38, 0.08, 0.68
"""Inches: at the left of the page; above and below a matrix; between two; and for the colour bar."""
_NARROWEST, _LONGEST_TITLE, _LINE = 3.4, 30, 0.118


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


def build_matrices(
    rows: pd.DataFrame,
    infos: Mapping[str, MetricInfo],
    *,
    displays: Mapping[tuple[str, str], str] | None = None,
    protocols: Mapping[str, Sequence[str]] | None = None,
    protocol: str | None = None,
    options: TableOptions | None = None,
) -> Matrices:
    """Make the matrices of the rows that `bench.analysis.matrix.matrix_rows` chose.

    Args:
        rows: MATRIX_COLUMNS. Untrained variants are left out and named in a note.
        infos, displays, protocols, protocol: As for `build_table`.
        options: Caption and label.
    Raises:
        RequestError: nothing but untrained methods.
    """
    table = build_table(
        rows, infos, displays=displays, protocols=protocols, protocol=protocol, options=options or TableOptions()
    )
    trained = rows.loc[~untrained(rows)]
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
    return pd.DataFrame(lines, columns=pd.Index(CSV_COLUMNS)).to_csv(index=False, lineterminator="\n")


def typeset_matrices(found: Matrices, output: str) -> str:
    """The matrices as text: "tex" (booktabs, a block per method, a table per dataset), "md" or "csv".

    Raises:
        RequestError: an unknown output, or a label that LaTeX cannot hold.
    """
    if output == "csv":
        return matrices_csv(found)
    if output == "tex":
        return render_latex(_grids(found, PAGE))
    if output == "md":
        return render_markdown(_grids(found, SCREEN))
    raise RequestError(f"unknown format '{output}'; choose --format tex, md or csv")


def draw_matrices(found: Matrices) -> Figure:
    """Annotated heat maps of all matrices, side by side as far as a page is wide, with one colour range and one bar.

    The range is that of the means; the diagonal, which is not measured, is gray, and what has no mean is hatched.
    """
    cells = [cell for matrix in found.matrices for row in matrix.cells for cell in row]
    scale = max(len(_times(scale)) for matrix in found.matrices for scale in matrix.scales) * _SIZE * _DIGIT
    side = max(_CELL, scale + 0.03, *(len(_text(found, cell)) * _size(cell) * _DIGIT + 0.04 for cell in cells))
    beside = scale + 0.02
    titles = [_titles(found, matrix) for matrix in found.matrices]
    across = [
        max(beside + len(matrix.scales) * side, min(max(map(len, title)), _LONGEST_TITLE) * _TITLE) + _GAP
        for matrix, title in zip(found.matrices, titles, strict=True)
    ]
    bands = _bands(found.matrices, across, PAGE_WIDTH - _MARGIN - _BAR)
    inside = _MARGIN + max(sum(across[index] for index in band) for band in bands)
    width = max(_NARROWEST, inside + _BAR)
    heights = [_TOP + max(len(found.matrices[i].scales) for i in band) * side + _BELOW for band in bands]
    notes = [line for note in _figure_notes(found) for line in textwrap.wrap(note, int((width - 0.2) / 0.053))]
    colours, norm = matplotlib.colormaps[COLOUR_MAP], _norm(found.matrices)
    with page_style():
        page = Page(sum(heights) + (len(notes) + 1) * _LINE, width)
        up = 0.0
        for band, height in zip(bands, heights, strict=True):
            left = _MARGIN
            for index in band:
                matrix, (name, dataset) = found.matrices[index], titles[index]
                page.text(left + beside, up + 0.06, name, ha="left", size=7.5, weight="bold", parse_math=False)
                page.text(left + beside, up + 0.21, dataset, ha="left", color="0.35", parse_math=False)
                extent = len(matrix.scales) * side
                axes = page.axes(left + beside, up + _TOP, extent, extent)
                _heat_map(axes, found, matrix, colours, norm)
                if index == band[0]:
                    axes.set_ylabel("output scale", labelpad=2)
                left += across[index]
            up += height
        bar = page.axes(inside + 0.1, _TOP, 0.1, heights[0] - _TOP - _BELOW)
        drawn = page.figure.colorbar(ScalarMappable(norm, colours), cax=bar)
        drawn.outline.set_linewidth(0.4)  # type: ignore[operator]
        bar.set_ylabel(Head(found.metric.display, direction=found.metric.direction).plain, labelpad=3)
        bar.tick_params(width=0.4, length=2, pad=2)
        page.text(0.06, up, "\n".join(notes), ha="left", color="0.35", parse_math=False)
        return page.figure


def _heat_map(axes: Axes, found: Matrices, matrix: ScaleMatrix, colours: Colormap, norm: Normalize) -> None:
    count = len(matrix.scales)
    axes.set(xlim=(0, count), ylim=(count, 0))
    for i, row in enumerate(matrix.cells):
        for j, cell in enumerate(row):
            ink, colour = "black", to_rgba("0.88")
            if cell.mean is None:
                ink, colour = "0.25", to_rgba("white")
            elif cell is not DIAGONAL:
                colour = colours(norm(cell.mean))
                ink = _ink(colour)
            hatch = "/////" if cell.mean is None else None
            axes.add_patch(Rectangle((j, i), 1, 1, facecolor=colour, edgecolor="0.85", linewidth=0, hatch=hatch))
            axes.text(j + 0.5, i + 0.53, _text(found, cell), ha="center", va="center", color=ink, size=_size(cell))
    names = [_times(scale) for scale in matrix.scales]
    middles = np.arange(count) + 0.5
    axes.set_xticks(middles, names)
    axes.set_yticks(middles, names)
    axes.tick_params(length=0, pad=2.5)
    axes.set_xlabel("reference scale", labelpad=2)


def _norm(matrices: Sequence[ScaleMatrix]) -> Normalize:
    """The range of all means off the diagonals, widened where it is hardly one."""
    means = [
        cell.mean
        for matrix in matrices
        for row in matrix.cells
        for cell in row
        if cell.mean is not None and cell is not DIAGONAL
    ]
    low, high = (min(means), max(means)) if means else (0.0, 1.0)
    missing = max(0.0, 0.01 - (high - low)) / 2
    return Normalize(low - missing, high + missing)


def _ink(colour: tuple[float, float, float, float]) -> str:
    """Black or white, whichever has the higher contrast on this colour as WCAG 2.1 reckons it: at least 4.5."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"


def _size(cell: MatrixCell) -> float:
    return _SMALL if cell.mean is None else _SIZE


def _text(found: Matrices, cell: MatrixCell) -> str:
    if cell is DIAGONAL:
        return _ITSELF.text
    if cell.mean is not None:
        return printed(cell.mean, found.metric.decimals)
    return cell.note if cell.note == f"{cell.n}/{cell.expected}" else "--"


def _times(scale: float) -> str:
    return f"×{format_scale(scale)}"


def _titles(found: Matrices, matrix: ScaleMatrix) -> tuple[str, str]:
    def short(text: str) -> str:
        return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"

    return short(found.method(matrix).display), short(matrix.dataset)


def _bands(matrices: Sequence[ScaleMatrix], across: Sequence[float], room: float) -> list[list[int]]:
    """As many side by side as there is room for, and at least one; of several methods, a dataset begins a new line."""
    several = len({(matrix.method, matrix.variant) for matrix in matrices}) > 1
    bands: list[list[int]] = [[]]
    for index, matrix in enumerate(matrices):
        other = several and bands[-1] and matrices[bands[-1][0]].dataset != matrix.dataset
        if other or (bands[-1] and sum(across[i] for i in bands[-1]) + across[index] > room):
            bands.append([])
        bands[-1].append(index)
    return bands


def _figure_notes(found: Matrices) -> list[str]:
    table = found.table
    cells = [cell for matrix in found.matrices for row in matrix.cells for cell in row]
    images = ", ".join(f"{name} {_images(table, name)}" for name in table.datasets)
    notes = [(f"Protocol {table.protocol}. " if table.protocol else "") + f"Number of images: {images}."]
    notes.append("Compared at the size of the reference scale; gray: 1 by definition.")
    shown = {_text(found, cell) for cell in cells if cell.mean is None}
    if any("/" in text for text in shown):
        notes.append("n/N: only n of N images have a value, so there is no mean.")
    if "--" in shown:
        notes.append("--: not part of the run, or not available.")
    return notes


def _images(table: Table, dataset: str) -> str:
    return " or ".join(str(count.images) for count in table.images if count.dataset == dataset)


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


def _grid(table: Table, scales: Sequence[float], blocks: Sequence[GridBlock], title: str) -> Grid:
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
            _ITSELF
            if cell is DIAGONAL
            else found.table.cell(matrix.dataset, output, str(MetricRef(matrix.metric, reference)), method)
            for reference, cell in zip(matrix.scales, line, strict=True)
        ]
        rows.append(GridRow(_times(output), tuple(cells)))
    return GridBlock(Head(method.display), tuple(rows))
