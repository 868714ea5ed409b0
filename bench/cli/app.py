"""The `bench` command: subcommands, and how errors reach the person who typed it.

Exit codes: 0 done; 1 some units failed (all others are kept), or a metric that was asked for has no value at all; 2 the
request is wrong; 130 stopped with Ctrl-C, 143 with SIGTERM.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

from bench import __version__
from bench.api import BenchError, RequestError
from bench.cli.output import fail
from bench.cli.quiet import quieten_libraries
from bench.cli.stopping import stops_in_order
from bench.cli.streams import dependable_streams
from bench.cli.terminal import bound_width

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
_MAY_BE_EMPTY = ("--caption", "--label", "--title")
"""Options of which nothing is a text, too."""


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


def _require_values(words: Sequence[str]) -> None:
    """Refuse a word that is empty: as a path it would be the current folder, as a name a default that nobody asked for.

    Raises:
        RequestError: says behind what it stands.
    """
    for before, word in pairwise(("bench", *words)):
        option, equals, value = word.partition("=")
        empty = option if equals and not value and option.startswith("--") else before if not word else ""
        if empty and empty not in _MAY_BE_EMPTY:
            raise RequestError(
                f"the word behind {empty} is empty, expected a value; a shell variable without a value gives that; "
                "give the value, or leave the option out"
            )


def main() -> None:
    """Run the command line; a traceback is shown only for a fault of this program."""
    with dependable_streams(), stops_in_order():
        quieten_libraries()
        bound_width()
        try:
            _require_values(sys.argv[1:])
            app(prog_name="bench", standalone_mode=True)
        except BenchError as fault:
            fail(str(fault))
            sys.exit(2)
        except KeyboardInterrupt:
            fail("stopped; what was finished is kept")
            sys.exit(130)
