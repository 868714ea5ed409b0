"""What stands under every table: legend, protocol, images, seeds, signatures, and the footnotes of single cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.analysis.signatures import format_scales
from bench.report.grid import Grid
from bench.report.model import NOT_HERE, Mark, Table, TableCell

INFINITE = "infinite: at least one image is identical to its reference"


@dataclass(frozen=True)
class Code:
    """Text to be set in typewriter type."""

    text: str


@dataclass(frozen=True)
class NoteLine:
    """One line under the table; `letter` is set for a footnote of cells."""

    parts: tuple[str | Code, ...]
    letter: str = ""


def footnote_reason(cell: TableCell) -> str:
    """Why a cell carries a footnote; empty where it carries none."""
    if cell.value is not None:
        reasons = (INFINITE if math.isinf(cell.value) else "", cell.doubt)
        return "; ".join(reason for reason in reasons if reason)
    if not cell.reason or cell.text or cell.reason == NOT_HERE.reason:
        return cell.reason or cell.doubt
    # what to do about it follows after "; " and is for the terminal, not for a paper
    return f"unavailable: {cell.reason.partition('; ')[0]}"


def footnote_letters(grid: Grid) -> dict[str, str]:
    """reason -> letter, in the order in which the cells are read."""
    reasons = list(dict.fromkeys(reason for cell in grid.cells if (reason := footnote_reason(cell))))
    return {reason: _letter(number) for number, reason in enumerate(reasons)}


def note_lines(grid: Grid, *, legend: tuple[str, str] | None = None) -> list[NoteLine]:
    """The lines under the table, the same in every format.

    Args:
        grid: What is shown.
        legend: The signs behind the best and the second best; None: they are bold and underlined.
    """
    table, shown = grid.table, grid.cells
    first: list[str | Code] = ["Protocol: ", Code(table.protocol), ". "] if table.protocol else []
    counts = [
        f"{count.dataset} {count.images}"
        + (f" ({format_scales([s for s in count.scales if s in table.scales])})" if count.scales else "")
        for count in table.images
    ]
    if counts:
        first.append(f"Number of images: {', '.join(counts)}.")
    seeds = sorted({cell.seeds for cell in shown if cell.sd})
    if seeds:
        first.append(f" ±: sample standard deviation between {' or '.join(map(str, seeds))} seeds.")
    if any(cell.mark is not Mark.NONE for cell in shown):
        marks = _legend(shown, legend)
        first.append(f" {marks}" if first else marks)
    if any(cell.value is None and cell.text for cell in shown):
        first.append(" n/N: only n of N images have a value, so there is no mean.")
    lines = [NoteLine(tuple(first))] if first else []
    displays = {metric.name: metric.display for metric in table.metrics}
    for line in table.signatures:
        scales = [scale for scale in line.scales if scale in table.scales]
        where = [*(d for d in line.datasets if d in table.datasets), *([format_scales(scales)] if scales else [])]
        head = displays[line.metric] + (f" ({', '.join(where)})" if where else "")
        lines.append(NoteLine((f"{head}: ", Code(line.signature))))
    lines += [NoteLine((note,)) for note in table.notes]
    lines += [NoteLine((_sentence(reason),), letter) for reason, letter in footnote_letters(grid).items()]
    return lines


def default_caption(table: Table) -> str:
    """The caption where the user gives none."""
    sets = ", ".join(table.datasets) if len(table.datasets) <= 4 else f"{len(table.datasets)} datasets"
    return f"Super-resolution at {format_scales(table.scales)} on {sets}."


def part_caption(grid_title: str, part: tuple[int, int]) -> str:
    """What follows the caption of one part of a split table; empty for a table that is whole."""
    number, total = part
    return f" Part {number} of {total}: {grid_title}." if total > 1 else ""


def _legend(shown: list[TableCell], signs: tuple[str, str] | None) -> str:
    best, second = ("in bold", "underlined") if signs is None else (f"with {signs[0]}", f"with {signs[1]}")
    has_second = any(cell.mark is Mark.SECOND for cell in shown)
    return f"Best {best}, second best {second}." if has_second else f"Best {best}."


def _sentence(reason: str) -> str:
    return f"{reason.rstrip('.')}."


def _letter(number: int) -> str:
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + chr(ord("a") + last)
