"""A Markdown table as a terminal shows it best: bold and underlined cells instead of the marks for them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from bench.cli.output import say

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_RULE = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+$")
_CELL = re.compile(r"(?<!\\)\|")
_MARK = re.compile(r"\*\*(?P<bold>.+?)\*\*|<ins>(?P<ins>.+?)</ins>|<sup>(?P<sup>.+?)</sup>|`(?P<code>[^`]+)`")


def show(markdown: str) -> None:
    """Print a page of Markdown: as it is into a file or a pipe, with drawn tables on a terminal."""
    if not sys.stdout.isatty():
        say(markdown)
        return
    from rich.console import Console

    console = Console(highlight=False)
    rows: list[list[str]] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            if not _RULE.match(line):
                rows.append([cell.strip() for cell in _CELL.split(line)[1:-1]])
            continue
        if rows:
            console.print(_table(rows))
            rows = []
        console.print(_styled(line), soft_wrap=True)


def _table(rows: list[list[str]]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(rows[0]):
        table.add_column(_styled(heading), justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*(_styled(cell) for cell in row))
    return table


def _styled(text: str) -> Text:
    from rich.text import Text

    styles = {"bold": "bold", "ins": "underline", "sup": "dim", "code": "dim"}
    shown, position = Text(), 0
    for match in _MARK.finditer(text):
        shown.append(_plain(text[position : match.start()]))
        kind = str(match.lastgroup)
        shown.append(match[kind] if kind == "code" else _plain(match[kind]), style=styles[kind])
        position = match.end()
    return shown.append(_plain(text[position:]))


def _plain(text: str) -> str:
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|<>-])", r"\1", text)
