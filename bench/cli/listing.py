"""How a list is printed: a line per thing that fits the terminal, plain columns elsewhere, JSON when asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from bench.cli.output import console, say

if TYPE_CHECKING:
    from rich.table import Table

READY = "ready"
"""The status of what can be used as it is."""
_GAP = 2
_SHORTEST = 24
"""Characters of a long text below which it is not worth showing."""
_PROSE = 100
"""Characters of a line that is read as a sentence, where the terminal has more."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Field of the row.
        title: Heading.
        extra: Left out where the terminal has no room for it.
    """

    key: str
    title: str
    extra: bool = False


def show_rows(
    rows: Sequence[Any], columns: Sequence[Column], *, as_json: bool, long: str = "", notes: Sequence[str] = ()
) -> None:
    """Print a list, one line per row.

    Args:
        rows: Dataclass instances of one type; JSON holds all their fields, the table those of `columns`.
        columns: What the table shows, most important first.
        as_json: Print a JSON array instead.
        long: Field that stands last and is shortened where the terminal ends; empty: none.
        notes: Sentences below the table.
    """
    if as_json:
        say(json.dumps([_plain(asdict(row)) for row in rows], indent=2, ensure_ascii=False))
        return
    screen = console()
    if not screen.is_terminal:
        shown = [*columns, *([Column(long, long)] if long else [])]
        _show_plain([[column.title for column in shown], *([cell_text(r, c.key) for c in shown] for r in rows)])
    else:
        screen.print(_fitting(rows, columns, long, screen.width), soft_wrap=False)
    for note in notes:
        screen.print(note, markup=False, soft_wrap=not screen.is_terminal)


def show_pairs(title: str, pairs: Sequence[tuple[str, str, str]], *, as_json: bool, row: Any = None) -> None:
    """Print everything of one thing.

    Args:
        title: First line.
        pairs: (name, value, remark) lines; lines without a name go on with the one before.
        as_json: Print `row` (a dataclass instance or plain data) as a JSON object instead.
        row: What JSON shows.
    """
    if as_json:
        plain = asdict(row) if is_dataclass(row) and not isinstance(row, type) else row
        say(json.dumps(_plain(plain), indent=2, ensure_ascii=False))
        return
    screen = console()
    facts = [(name, value + (f"   ({remark})" if remark else "")) for name, value, remark in pairs]
    wide = max(len(name) for name, _ in facts)
    if not screen.is_terminal:
        say(title)
        for name, text in facts:
            say(f"  {name:<{wide}}  {text}".rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, _GAP))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts:
        grid.add_row(Text(f"  {name}"), Text(text))
    width = min(screen.width, _PROSE)
    screen.print(Text(title, style="bold"), width=width, soft_wrap=False)
    screen.print(grid, width=width, soft_wrap=False)


def cell_text(row: Any, key: str) -> str:
    """A field as lists show it: one line, "-" where it holds nothing."""
    value = getattr(row, key)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(str(v) for v in value) or "-"
    return " ".join(str(value).split()) or "-"


def columns_of(row_type: Any, *, extra: Sequence[str] = ()) -> list[Column]:
    """A column for each field of a dataclass, in order."""
    return [Column(f.name, f.name.replace("_", " "), f.name in extra) for f in fields(row_type)]


def _show_plain(lines: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest text; the last one ends with its text."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        say((" " * _GAP).join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _fitting(rows: Sequence[Any], columns: Sequence[Column], long: str, room: int) -> Table:
    """The columns that there is room for, and as much of the long text as is left."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    widths = {c.key: max(map(len, [c.title, *(cell_text(row, c.key) for row in rows)])) + _GAP for c in columns}
    shown = [column for column in columns if not column.extra]
    left = room - sum(widths[column.key] for column in shown)
    whole = max([len(long), *(len(cell_text(row, long)) for row in rows)]) if long else 0
    for column in columns:
        # a further column must not shorten the long text
        if column.extra and left - widths[column.key] >= whole:
            left -= widths[column.key]
            shown.append(column)
    shown.sort(key=columns.index)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for column in shown:
        fixed = bool(long) or column is shown[0]
        table.add_column(
            column.title, no_wrap=fixed, overflow="fold", min_width=widths[column.key] - _GAP if fixed else 0
        )
    shortened = [Text(cell_text(row, long)) for row in rows] if long and left >= _SHORTEST else []
    if shortened:
        table.add_column(long, no_wrap=True)
    for text in shortened:
        text.truncate(left, overflow="ellipsis")
    for index, row in enumerate(rows):
        texts = [(column.key, cell_text(row, column.key)) for column in shown]
        table.add_row(*(Text(text, style=_style(key, text)) for key, text in texts), *shortened[index : index + 1])
    return table


def _style(key: str, text: str) -> str:
    if key == "status":
        return "green" if text.startswith(READY) else "yellow"
    return "bold" if key == "name" else ""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
