"""Tables as text for a terminal or a log: columns that fit, a line over them for groups, and what stands below.

A terminal that knows bold and underline shows the best so; elsewhere a sign stands behind the number. Layout of tables,
widths of characters and styles are rich's.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

from bench.report.grid import Grid, GridBlock
from bench.report.layout import Room
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

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

_SIGNS = {Mark.BEST: "*", Mark.SECOND: "+", Mark.NONE: ""}
_STYLES = {Mark.BEST: "bold", Mark.SECOND: "underline", Mark.NONE: ""}
_LEGEND = ("*", "+")
_NO_END = 10_000
"""Columns of a console in which nothing is wrapped."""


def terminal_output(width: int, *, styled: bool) -> tuple[Room, Callable[[Sequence[Grid]], str]]:
    """How a terminal shows tables: the room that it has, and the writer; as an entry of `exports.OUTPUTS`.

    Args:
        width: Its columns.
        styled: With its codes for bold and underline, instead of signs.
    """
    room = Room(width, math.inf, measure=partial(grid_columns, styled=styled))
    return room, partial(render_text, width=width, styled=styled)


def render_text(grids: Sequence[Grid], *, width: int | None = None, styled: bool = False) -> str:
    """A caption, a table and its notes per grid; notes that all parts of a table share stand below the last.

    Args:
        grids: What `arrange` made of one or several tables.
        width: Columns to keep to; None: lines end where they end.
        styled: With a terminal's codes for bold and underline.
    """
    console = _console(width or _NO_END, styled=styled)
    for parts in _tables(grids):
        lines = [note_lines(grid, legend=None if styled else _LEGEND) for grid in parts]
        shared = [line for line in lines[0] if all(line in others for others in lines) and not line.letter]
        for grid, notes in zip(parts, lines, strict=True):
            caption = (grid.table.caption or default_caption(grid.table)) + part_caption(grid.title, grid.part)
            console.print(_styled(_wrapped(caption, width, ""), "bold"), soft_wrap=True)
            console.print()
            console.print(_drawn(grid, styled=styled), soft_wrap=False)
            console.print()
            _print_notes(console, (line for line in notes if line not in shared), width)
        _print_notes(console, shared, width)
    file = console.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip("\n").split("\n")) + "\n"


def grid_columns(grid: Grid, *, styled: bool = False) -> int:
    """Columns of a terminal that a grid takes."""
    from rich.measure import Measurement

    console = _console(_NO_END, styled=False)
    return Measurement.get(console, console.options, _drawn(grid, styled=styled)).maximum


def _console(width: int, *, styled: bool) -> Console:
    from rich.console import Console

    return Console(
        file=StringIO(),
        width=width,
        force_terminal=styled,
        color_system="standard" if styled else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def _tables(grids: Sequence[Grid]) -> list[list[Grid]]:
    """The parts of each table together."""
    tables: list[list[Grid]] = []
    for grid in grids:
        if grid.part[0] == 1 or not tables:
            tables.append([])
        tables[-1].append(grid)
    return tables


def _drawn(grid: Grid, *, styled: bool) -> Drawn:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    drawn.add_column(_heading(grid.stub, any(group for group, _ in grid.headings)), overflow="fold")
    rows = [row for block in grid.blocks for row in _block_rows(block, len(grid.columns))]
    letters = footnote_letters(grid)
    columns: list[list[Text]] = []
    for index, (group, head) in enumerate(grid.headings):
        texts = _column([cells[index] for _, cells in rows], letters, styled)
        columns.append(texts)
        heading = "\n".join(text for text in (group, head) if text)
        width = max(map(len, [*heading.split("\n"), *(text.plain for text in texts)]))
        for text in texts:
            text.pad_left(width - len(text.plain))
        drawn.add_column(Text(heading, justify="right"), no_wrap=True, min_width=width)
    for (name, _), texts in zip(rows, zip(*columns, strict=True), strict=True):
        drawn.add_row(name, *texts)
    return drawn


def _column(cells: Sequence[TableCell | None], letters: dict[str, str], styled: bool) -> list[Text]:
    """The texts of a column, each with the same room behind its number; None is an empty cell."""
    from rich.text import Text

    suffixes = [_suffix(cell, letters, styled) if cell is not None else "" for cell in cells]
    room = max(map(len, suffixes), default=0)
    texts = []
    for cell, suffix in zip(cells, suffixes, strict=True):
        if cell is None:
            texts.append(Text())
            continue
        number = Text(cell.text or "--", style=_STYLES[cell.mark] if styled else "")
        spread = f" ± {cell.sd}" if cell.sd else ""
        texts.append(Text.assemble(number, spread, suffix.ljust(room)))
    return texts


def _heading(stub: str, under_groups: bool) -> str:
    """The heading of the names, on the line of the columns' own headings."""
    return f"\n{stub}" if under_groups else stub


def _block_rows(block: GridBlock, columns: int) -> Iterable[tuple[Text, Sequence[TableCell | None]]]:
    """The title of a block, where it has one, and its rows."""
    from rich.text import Text

    title = block.title.plain
    if title:
        yield Text(title, style="italic"), [None] * columns
    for row in block.rows:
        yield Text(f"  {row.name}" if title else row.name), row.cells


def _suffix(cell: TableCell, letters: dict[str, str], styled: bool) -> str:
    """What stands behind a number: its mark where it is not styled, and the letter of its footnote."""
    letter = letters.get(footnote_reason(cell), "")
    return ("" if styled else _SIGNS[cell.mark]) + (f" ({letter})" if letter else "")


def _print_notes(console: Console, lines: Iterable[NoteLine], width: int | None) -> None:
    texts = [_note(line) for line in lines]
    for text in texts:
        console.print(_wrapped(text, width, "  "), soft_wrap=True)
    if texts:
        console.print()


def _note(line: NoteLine) -> str:
    parts = (part.text if isinstance(part, Code) else part for part in line.parts)
    return (f"({line.letter}) " if line.letter else "") + "".join(parts)


def _wrapped(text: str, width: int | None, indent: str) -> str:
    """A text in lines of a width; a signature may end a line behind a bar."""
    if width is None:
        return text
    lines = textwrap.wrap(
        text.replace("|", "| "), width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(line.replace("| ", "|") for line in lines)


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style)
