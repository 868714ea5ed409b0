"""Matrices of a cross-scale metric as heat maps, side by side.

Rows are output scales, columns the reference scales at whose size both outputs are compared.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.api import format_times
from bench.figures.page import COLOUR_MAP, PAGE_WIDTH, Page, page_style
from bench.figures.selfssim.matrix import DIAGONAL, MatrixCell, ScaleMatrix
from bench.figures.selfssim.typeset import ITSELF, Matrices
from bench.report.grid import Head
from bench.report.model import Table, printed

_CELL, _SIZE, _SMALL = 0.33, 6.5, 5.5
"""The smallest side of a cell in inches; points of a mean, and of what stands where there is none."""
_DIGIT, _TITLE = 0.0088, 0.068
"""Inches: a digit per point of its size, and a letter of a title."""
_MARGIN, _TOP, _BELOW, _GAP, _BAR = 0.18, 0.42, 0.38, 0.08, 0.68
"""Inches: at the left of the page; above and below a matrix; between two; and for the colour bar."""
_NARROWEST, _LONGEST_TITLE, _LINE = 3.4, 30, 0.118


def draw_matrices(found: Matrices) -> Figure:
    """Annotated heat maps of all matrices, side by side as far as a page is wide, with one colour range and one bar.

    The range is that of the means; the diagonal, which is not measured, is gray, and what has no mean is hatched.
    """
    cells = [cell for matrix in found.matrices for row in matrix.cells for cell in row]
    scale = max(len(format_times(scale)) for matrix in found.matrices for scale in matrix.scales) * _SIZE * _DIGIT
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
    names = [format_times(scale) for scale in matrix.scales]
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
        return ITSELF.text
    if cell.mean is not None:
        return printed(cell.mean, found.metric.decimals)
    counts = f"{cell.n}/{cell.expected}"
    return counts if cell.note.partition(":")[0] == counts else "--"


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
