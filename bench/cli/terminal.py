"""How tables reach a terminal: in the layout that fits its width, bold and underlined where it knows that."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bench.cli.output import console

if TYPE_CHECKING:
    from bench.report.exports import Output

TEXT = "text"
"""The format of tables that are read where the command was typed."""

_WIDEST = 1000
"""Columns; wider lines are padded by rich until no memory holds them."""


def bound_width() -> None:
    """Take a COLUMNS that no terminal has for the widest that is drawn."""
    text = os.environ.get("COLUMNS", "")
    if text.isascii() and text.isdigit() and (len(text) > len(str(_WIDEST)) or int(text) > _WIDEST):
        os.environ["COLUMNS"] = str(_WIDEST)


def shown_output(output: str, *, to_file: bool = False) -> str | Output:
    """A format of tables as this terminal shows it; every format but TEXT is what it is everywhere.

    Args:
        output: What `--format` says.
        to_file: Whether the table is written to a file instead.
    """
    screen = console()
    if output != TEXT or to_file or not screen.is_terminal:
        return output
    from bench.report.text import terminal_output

    return terminal_output(screen.width, styled=screen.color_system is not None)
