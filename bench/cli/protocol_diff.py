"""`bench protocol-diff RUN`: what other protocols' rules of scoring do to a run's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.cli.output import say, warn, write_text

if TYPE_CHECKING:
    from bench.report.protocol_diff import ScoredColumn
    from bench.session.protocol_diff import Rescored


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("protocol-diff", help="Score a run's stored images as other protocols do, and show the shifts.")(
        protocol_diff
    )


def protocol_diff(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="The --out folder of a 'bench run'.")],
    protocols: Annotated[
        str,
        typer.Option(
            help="Named protocols, comma-separated; 'bench protocols' lists them. Default: "
            "sample, basicsr-y, liif-benchmark and pyiqa-default.",
            show_default=False,
        ),
    ] = "",
    metrics: Annotated[
        str, typer.Option(help="Only these of the run's metrics. Default: those that need a reference.")
    ] = "",
    data: Annotated[str, typer.Option(help="Where the run's images lie, if they were moved.")] = "",
    data_root: opt.DataRoot = None,
    workers: opt.Workers = None,
    output: Annotated[str, typer.Option("--format", help="text, md, tex, csv or json.")] = "text",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Score stored images as other protocols do."""
    from bench.metrics.catalog import known_infos
    from bench.report.plain import render_plain
    from bench.report.protocol_diff import protocol_table
    from bench.session.protocol_diff import protocol_diff as rescore

    found = rescore(
        run_folder,
        opt.names(protocols),
        metrics=opt.names(metrics),
        workers=workers,
        data=data,
        data_root=data_root,
    )
    for name, reason in found.unavailable.items():
        warn(f"not available: {name}: {reason}")
    faults = list(dict.fromkeys(fault for each in (found.own, *found.others) for fault in each.faults))
    for fault in faults:
        warn(f"no number of {fault}")
    infos = known_infos(found.own.summary["metric"])
    table = protocol_table(_column(found.own), [_column(other) for other in found.others], found.displays, infos)
    text = render_plain(table, output)
    if out is None:
        say(text.removesuffix("\n"))
    else:
        write_text(out, text)
    if faults:
        raise typer.Exit(1)


def _column(found: Rescored) -> ScoredColumn:
    from bench.report.protocol_diff import ScoredColumn

    words = ", ".join(f"{name} {theirs} for {mine}" for name, (mine, theirs) in found.other_pair.items())
    return ScoredColumn(protocol=found.protocol, summary=found.summary, other_pair=words, refusal=found.refusal)
