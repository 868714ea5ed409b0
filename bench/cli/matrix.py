"""`bench figure selfssim`: the matrix of a cross-scale metric of a finished run, as heat maps and as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.api import parse_scales
from bench.cli import options as opt
from bench.cli.output import say, write_text, writing

_TEXTS = ("csv", "tex", "md")


def register(figure: typer.Typer) -> None:
    """Add the command to `bench figure`."""
    figure.command("selfssim", help="How alike a method's outputs at different scales are, scale against scale.")(
        selfssim
    )


def selfssim(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="The --out folder of a 'bench run'.")],
    out: Annotated[
        Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv, .tex and .md.")
    ],
    metric: Annotated[str, typer.Option(help="selfssim or selfssim_msssim_nn.")] = "selfssim",
    methods: Annotated[str, typer.Option(help="Only these methods, in this order; comma-separated.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these datasets, in this order.")] = "",
    scales: Annotated[str, typer.Option(help="Only these scales, as rows and as columns.")] = "",
    protocol: Annotated[str | None, typer.Option(help="Only numbers of this protocol.")] = None,
    signature: Annotated[str, typer.Option(help="Only signatures with these tokens, such as q:u8,v1.")] = "",
    output: Annotated[str, typer.Option("--format", help="What is printed: md, tex or csv.")] = "md",
    caption: Annotated[str, typer.Option(help="Caption of the table, as plain text.")] = "",
    label: Annotated[str, typer.Option(help="LaTeX label.")] = "",
) -> None:
    """Row: scale of an output; column: scale of the one it is compared with, at whose size."""
    from bench.analysis import Selection, load_run
    from bench.analysis.matrix import matrix_rows
    from bench.cli.table import metric_infos
    from bench.report import TableOptions
    from bench.report.figures import check_target, save_figure
    from bench.report.matrix import build_matrices, draw_matrices, typeset_matrices

    check_target(out)
    frames = load_run(run_folder)
    selection = Selection(
        methods=opt.names(methods),
        datasets=opt.names(datasets),
        scales=parse_scales(scales) if scales else (),
        protocol=protocol,
        signature=opt.names(signature),
    )
    found = build_matrices(
        matrix_rows(frames.summary, metric, selection, protocols=frames.protocols),
        metric_infos({metric: None}),
        displays=frames.displays,
        protocols=frames.protocols,
        protocol=protocol,
        options=TableOptions(caption=caption, label=label),
    )
    shown = typeset_matrices(found, output)
    drawing, texts = draw_matrices(found), {suffix: typeset_matrices(found, suffix) for suffix in _TEXTS}
    with writing(out):
        save_figure(drawing, out)
    for suffix, text in texts.items():
        write_text(out.with_suffix(f".{suffix}"), text)
    say(shown.removesuffix("\n"))
    if output == "md":
        say(f"{out}: with {', '.join(out.with_suffix(f'.{suffix}').name for suffix in _TEXTS)}")
