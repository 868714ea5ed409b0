"""The `bench` command: subcommands, and how errors reach the person who typed it.

Exit codes: 0 done; 1 some units failed (all others are kept), or a metric that was asked for has no value at all; 2 the
request is wrong; 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys
from typing import Annotated

import typer

from bench import __version__
from bench.api import BenchError
from bench.cli.output import fail
from bench.cli.quiet import quieten_libraries
from bench.cli.streams import dependable_streams

app = typer.Typer(
    name="bench",
    help="How arbitrary-scale super-resolution is compared: one protocol, one table, signed numbers.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS = (
    "run",
    "score",
    "importing",
    "upscale",
    "lists",
    "table",
    "train",
    "figure",
    "data",
    "weights",
    "reproduce",
    "ablate",
    "check",
    "compare",
    "protocol_diff",
    "audit",
    "leaderboard",
    "export",
    "profile",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"assr-bench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Options of the command itself."""


for _name in _COMMANDS:
    importlib.import_module(f"bench.cli.{_name}").register(app)


def main() -> None:
    """Run the command line; a traceback is shown only for a fault of this program."""
    with dependable_streams():
        quieten_libraries()
        try:
            app(prog_name="bench", standalone_mode=True)
        except BenchError as fault:
            fail(str(fault))
            sys.exit(2)
        except KeyboardInterrupt:
            fail("stopped; what was finished is kept")
            sys.exit(130)
