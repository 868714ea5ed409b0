"""`bench audit`: what in a table of numbers cannot be right, or does not show what is claimed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.api import RequestError
from bench.cli import options as opt
from bench.cli.output import say, write_text


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("audit")(audit)


def audit(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="CSV|RUN_FOLDER|reported",
            help="A table in long form, a run, or the word for all published tables that this package holds.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text, md or json.")] = "text",
    only: Annotated[str, typer.Option(help="Names of checks, comma-separated; default: all.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="Say what is checked, and leave.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Look for copied rows, swapped columns, impossible values and claims that the numbers refute.

    Exit code 1 where a finding is an error; warnings and notes leave it at 0.
    """
    from bench.analysis.audit import Severity, read_evidence
    from bench.analysis.audit import audit as run_checks
    from bench.report.findings import render_audit, render_checks, summary_line

    if list_:
        say(render_checks().rstrip("\n"))
        return
    if what is None:
        raise RequestError(
            "nothing to audit: give a CSV file, a run folder or 'reported', such as bench audit reported"
        )
    found = run_checks(what, read_evidence(what), only=opt.names(only))
    text = render_audit(found, output)
    if out is None:
        say(text.rstrip("\n"))
    else:
        write_text(out, text)
        say(summary_line(found))
    raise typer.Exit(1 if found.of_severity(Severity.ERROR) else 0)
