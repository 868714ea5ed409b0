"""How a list is printed: a rich table on a terminal, aligned plain columns elsewhere, JSON when asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any

from bench.cli.output import console, say

_NARROW = 130
"""Columns of a terminal below which the columns marked as wide are left out."""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: Field of the row.
        title: Heading.
        wide: Left out on a narrow terminal.
    """

    key: str
    title: str
    wide: bool = False


def show_rows(rows: Sequence[Any], columns: Sequence[Column], *, as_json: bool, note: str = "") -> None:
    """Print a list.

    Args:
        rows: Dataclass instances of one type; JSON holds all their fields, the table those of `columns`.
        columns: What the table shows.
        as_json: Print a JSON array instead.
        note: A sentence below the table.
    """
    if as_json:
        say(json.dumps([_plain(asdict(row)) for row in rows], indent=2, ensure_ascii=False))
        return
    if not _on_terminal():
        _show_plain([column.title for column in columns], [[_cell(row, column) for column in columns] for row in rows])
    else:
        _show_rich(rows, columns)
    if note:
        say(note)


def show_pairs(title: str, pairs: Sequence[tuple[str, str, str]], *, as_json: bool, row: Any = None) -> None:
    """Print everything of one thing.

    Args:
        title: First line.
        pairs: (name, value, remark) lines.
        as_json: Print `row` (a dataclass instance or plain data) as a JSON object instead.
        row: What JSON shows.
    """
    if as_json:
        plain = asdict(row) if is_dataclass(row) and not isinstance(row, type) else row
        say(json.dumps(_plain(plain), indent=2, ensure_ascii=False))
        return
    say(title)
    wide = max(len(name) for name, _, _ in pairs)
    for name, value, remark in pairs:
        say(f"  {name:<{wide}}  {value}" + (f"   ({remark})" if remark else ""))


def columns_of(row_type: Any, *, wide: Sequence[str] = ()) -> list[Column]:
    """A column for each field of a dataclass, in order."""
    return [Column(f.name, f.name.replace("_", " "), f.name in wide) for f in fields(row_type)]


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _show_plain(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    lines = [list(titles), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _show_rich(rows: Sequence[Any], columns: Sequence[Column]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = [column for column in columns if not column.wide or console().width >= _NARROW]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(shown):
        table.add_column(column.title, overflow="fold", no_wrap=index == 0, style="bold" if index == 0 else None)
    for row in rows:
        cells = [_cell(row, column) for column in shown]
        styles = [
            "green" if c.key == "status" and cell.startswith("ready") else ""
            for c, cell in zip(shown, cells, strict=True)
        ]
        table.add_row(*(Text(cell, style=style) for cell, style in zip(cells, styles, strict=True)))
    console().print(table)


def _cell(row: Any, column: Column) -> str:
    value = getattr(row, column.key)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ", ".join(str(v) for v in value) or "-"
    return " ".join(str(value).split()) or "-"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
