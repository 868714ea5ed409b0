"""`bench leaderboard`: a static page of results, with its numbers as CSV, JSON and Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.api import counted
from bench.cli.output import say, warn


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("leaderboard")(leaderboard)


def leaderboard(
    out: Annotated[Path, typer.Option(help="The folder to write; open its index.html in a browser.")],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN...",
            help="The --out folder of a 'bench run', a summary.csv, a folder with result.json that somebody sent, or "
            "a folder of these.",
            show_default=False,
        ),
    ] = None,
    reported: Annotated[bool, typer.Option(help="Show the published tables too, apart from measured rows.")] = False,
    images: Annotated[int, typer.Option(help="Pictures of each dataset of a run; 0 for none.")] = 4,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Arbitrary-scale super-resolution",
    metrics: Annotated[str, typer.Option(help="Only these metrics; comma-separated.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these datasets.")] = "",
    methods: Annotated[str, typer.Option(help="Only these methods.")] = "",
    scales: Annotated[str, typer.Option(help="Only these scales, such as 2,4.")] = "",
) -> None:
    """Make a leaderboard: one page that works offline, and leaderboard.csv, .json, .md beside it."""
    from bench.analysis import Selection
    from bench.leaderboard import write_leaderboard

    selection = Selection.typed(methods=methods, datasets=datasets, scales=scales, metrics=metrics)
    written = write_leaderboard(inputs or (), out, reported=reported, images=images, title=title, selection=selection)
    for note in written.notes:
        warn(note)
    numbers = f"{counted(written.rows, 'number')} of {counted(written.methods, 'method')}"
    say(f"{written.page}: {numbers}, {counted(written.pictures, 'picture')}")
