"""`bench table`: the table of a finished or interrupted run, as LaTeX, Markdown or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.api import MetricInfo, MetricRef, RequestError, parse_scales
from bench.cli import options as opt
from bench.cli.output import say, write_text


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("table")(table)


def table(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="The --out folder of a 'bench run'.")],
    output: Annotated[str, typer.Option("--format", help="tex, md or csv.")] = "md",
    metrics: Annotated[str, typer.Option(help="Only these metrics, in this order; comma-separated.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these datasets, in this order.")] = "",
    methods: Annotated[str, typer.Option(help="Only these methods, in this order.")] = "",
    scales: Annotated[str, typer.Option(help="Only these scales, such as 2,4.")] = "",
    protocol: Annotated[str | None, typer.Option(help="Only numbers of this protocol.")] = None,
    signature: Annotated[str, typer.Option(help="Only signatures with these tokens, such as y601s,shave:s.")] = "",
    layout: Annotated[str, typer.Option(help="auto, wide, by-metric or by-scale.")] = "auto",
    caption: Annotated[str, typer.Option(help="Caption, as plain text.")] = "",
    label: Annotated[str, typer.Option(help="LaTeX label.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Print the table of a run; one table never mixes protocols."""
    from bench.analysis import Selection, load_run
    from bench.report import TableOptions, render_tables

    frames = load_run(run_folder)
    selection = Selection(
        methods=opt.names(methods),
        datasets=opt.names(datasets),
        scales=parse_scales(scales) if scales else (),
        metrics=opt.names(metrics),
        protocol=protocol,
        signature=opt.names(signature),
    )
    text = render_tables(
        frames,
        metric_infos(dict.fromkeys(frames.summary["metric"])),
        output=output,
        selection=selection,
        options=TableOptions(layout=layout, caption=caption, label=label),
    )
    if out is None:
        say(text.removesuffix("\n"))
    else:
        write_text(out, text)


def metric_infos(names: dict[str, None]) -> dict[str, MetricInfo]:
    """Direction and decimals of the metrics that are registered here; the others are left out."""
    from bench.metrics.catalog import make_metric

    infos = {}
    for name in names:
        base = MetricRef.parse(name).name
        try:
            infos[base] = make_metric(base, None).info
        except RequestError:
            continue
    return infos
