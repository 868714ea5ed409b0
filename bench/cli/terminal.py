"""How tables reach a terminal: in the layout that fits its width, bold and underlined where it knows that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cli.output import console

if TYPE_CHECKING:
    from bench.report.exports import Output

TEXT = "text"
"""The format of tables that are read where the command was typed."""


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
