"""Markdown tables for GitHub with the same content as the LaTeX ones; columns are padded so that the source reads too.

Markdown has one header line, so the group stands before the column: "×2 PSNR ↑". Second best is set as <ins>, which
GitHub underlines.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.escape import keep_ends, markdown, markdown_code
from bench.report.grid import Grid
from bench.report.model import Mark, TableCell
from bench.report.notes import (
    Code,
    NoteLine,
    default_caption,
    footnote_letters,
    footnote_reason,
    note_lines,
    part_caption,
)


def render_markdown(grids: Sequence[Grid]) -> str:
    """A caption, a table and its notes per grid.

    Args:
        grids: What `arrange` made of one or several tables.
    """
    return "\n".join(map(_section, grids))


def _section(grid: Grid) -> str:
    table = grid.table
    caption = markdown((table.caption or default_caption(table)) + part_caption(grid.title, grid.part))
    notes = [f"- {_note(line)}" for line in note_lines(grid)]
    return "\n".join([f"**{caption}**", "", *_table(grid), "", *notes, ""])


def _table(grid: Grid) -> list[str]:
    letters = footnote_letters(grid)
    titled = any(block.title.plain for block in grid.blocks)
    rows = [[*([""] if titled else []), markdown(grid.stub), *_headings(grid)]]
    for block in grid.blocks:
        for row in block.rows:
            title = [markdown(block.title.plain)] if titled else []
            rows.append([*title, markdown(row.name), *(_cell(cell, letters) for cell in row.cells)])
    left = 2 if titled else 1
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(rows[0]))]
    rule = [":" + "-" * (w - 1) if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    lines = [_line(row, widths, left) for row in rows]
    return [lines[0], "| " + " | ".join(rule) + " |", *lines[1:]]


def _headings(grid: Grid) -> list[str]:
    return [" ".join(markdown(part) for part in both if part) for both in grid.headings]


def _line(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    cells = (text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True)))
    return "| " + " | ".join(cells) + " |"


def _cell(cell: TableCell, letters: dict[str, str]) -> str:
    letter = letters.get(footnote_reason(cell), "")
    mark = f"<sup>{letter}</sup>" if letter else ""
    if cell.value is None:
        return (cell.text or "--") + mark
    text = {Mark.BEST: f"**{cell.text}**", Mark.SECOND: f"<ins>{cell.text}</ins>", Mark.NONE: cell.text}[cell.mark]
    return text + mark + (f" ± {cell.sd}" if cell.sd else "")


def _note(line: NoteLine) -> str:
    parts = (markdown_code(p.text) if isinstance(p, Code) else keep_ends(p, markdown) for p in line.parts)
    return (f"<sup>{line.letter}</sup> " if line.letter else "") + "".join(parts)
