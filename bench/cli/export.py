"""`bench export`: the numbers of a run as parquet, as Hugging Face's result files, as Every Eval Ever records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.api import RequestError, counted, parse_scales
from bench.api.lists import pairs
from bench.cli import options as opt
from bench.cli.output import say, warn

_HUB = "OWNER/NAME"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    run_folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN_FOLDER...",
            help="The --out folder of a 'bench run'; several are read as one run.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="parquet, hf-eval or eee.")] = "parquet",
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to write to. Default: export/ in the first run folder.", show_default=False),
    ] = None,
    metrics: Annotated[str, typer.Option(help="Only these metrics; comma-separated.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these datasets.")] = "",
    methods: Annotated[str, typer.Option(help="Only these methods.")] = "",
    scales: Annotated[str, typer.Option(help="Only these scales, such as 2,4.")] = "",
    protocol: Annotated[str | None, typer.Option(help="Only numbers of this protocol.")] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help=f"ROW={_HUB} of its model, such as liif=me/liif-lite; several times.", show_default=False),
    ] = None,
    hub_dataset: Annotated[
        list[str] | None,
        typer.Option(help=f"DATASET={_HUB} of it on the Hugging Face Hub; several times.", show_default=False),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="hf-eval: what the benchmark's eval.yaml calls its tasks, of {metric}, {scale}, {dataset}, "
            "{protocol}. Default: {metric}-x{scale}.",
            show_default=False,
        ),
    ] = None,
    source_url: Annotated[str, typer.Option(help="hf-eval: where the run can be looked at.")] = "",
    organisation: Annotated[str, typer.Option(help="eee: who vouches for the numbers.")] = "",
    relationship: Annotated[
        str, typer.Option(help="eee: to the makers of the methods: first_party, third_party, collaborative or other.")
    ] = "",
) -> None:
    """Write a run's numbers for others to read; what is incomplete, stale or doubtful is left out and named."""
    from bench.analysis import Selection
    from bench.export import Options, export_run
    from bench.export.hub import TASK

    if not run_folders:
        raise RequestError("no run given; name the --out folder of a 'bench run'")
    written = export_run(
        run_folders,
        output,
        out if out is not None else run_folders[0] / "export",
        selection=Selection(
            methods=opt.names(methods),
            datasets=opt.names(datasets),
            scales=parse_scales(scales) if scales else (),
            metrics=opt.names(metrics),
            protocol=protocol,
        ),
        options=Options(
            models=pairs("--model", model or (), form=f"ROW={_HUB}", example="liif=me/liif-lite"),
            datasets=pairs("--hub-dataset", hub_dataset or (), form=f"DATASET={_HUB}", example="Set5=me/Set5"),
            task=task or TASK,
            source_url=source_url,
            organisation=organisation,
            relationship=relationship,
        ),
    )
    for sentence in written.left_out:
        warn(f"left out: {sentence}")
    for path in written.files:
        say(str(path))
    say(f"{counted(written.numbers, 'mean')} in {counted(len(written.files), 'file')}")
