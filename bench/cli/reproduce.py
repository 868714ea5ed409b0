"""`bench reproduce [NAME]`: published figures beside what is measured of the published weights."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.cli.listing import columns_of, show_rows
from bench.cli.output import say, warn, write_text

_INTERRUPTED = 130


@dataclass(frozen=True)
class FigureRow:
    """One line of `bench reproduce`."""

    row: str
    protocol: str
    dataset: str
    scale: str
    metric: str
    published: str
    measured: str
    difference: str
    verdict: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reproduce", help="Measure published figures again from the published weights.")(reproduce)


def reproduce(
    name: Annotated[
        str | None,
        typer.Argument(help="A card or its method ('bench weights list'). Default: every card with published figures."),
    ] = None,
    datasets: Annotated[str | None, typer.Option(help="Only figures on these sets, comma-separated.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write the result as a Markdown page too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every field.")] = False,
    out: opt.Out = None,
    device: opt.DeviceName = None,
    workers: opt.Workers = None,
    plugin: opt.Plugin = None,
    data_root: opt.DataRoot = None,
) -> None:
    """Run exactly the cells of the cards; leaves with 1 where one lies beyond the tolerance of its card."""
    from bench.api import format_scale
    from bench.cli.finish import run_only
    from bench.cli.weights import load_plugins
    from bench.report.reproduced import count_line, reproduced_page
    from bench.session.reproduce import DEFAULT_OUT
    from bench.session.reproduce import reproduce as measure
    from bench.weights.published import cards_with_figures

    load_plugins(plugin)
    try:
        cells = measure(
            cards_with_figures(name),
            do=partial(run_only, quiet=as_json),
            datasets=opt.names(datasets or ""),
            out=out or DEFAULT_OUT,
            data_root=data_root,
            device=device,
            workers=workers,
            plugin=plugin or None,
        )
    except KeyboardInterrupt:
        warn("stopped; finished work is kept. To go on, type the same command again")
        raise typer.Exit(_INTERRUPTED) from None
    command = shlex.join(["bench", *sys.argv[1:]])
    rows = [
        FigureRow(
            cell.row,
            cell.protocol,
            cell.dataset,
            f"x{format_scale(cell.scale)}",
            cell.metric,
            *cell.printed(),
            cell.verdict,
        )
        for cell in cells
    ]
    show_rows(cells if as_json else rows, columns_of(FigureRow, extra=("protocol",)), as_json=as_json)
    if page is not None:
        write_text(page, reproduced_page(cells, command))
    if not as_json:
        say(count_line(cells))
    raise typer.Exit(1 if any(cell.beyond for cell in cells) else 0)
