"""`bench table`: the table of a finished or interrupted run, or of several as one, in any layout and format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.api import RequestError, counted, parse_scales
from bench.api.lists import renamed
from bench.cli import options as opt
from bench.cli.output import say, write_text
from bench.cli.terminal import TEXT, shown_output

if TYPE_CHECKING:
    from bench.analysis import RunFrames, Selection
    from bench.report import TableOptions
    from bench.report.exports import Output

MATRIX = "matrix"
"""The layout of a cross-scale metric, which is no table of means per scale."""
_LAYOUTS = (
    "auto (the first of wide, by-metric, by-scale that fits), ablation (differences from the first row), efficiency "
    "(parameters, seconds), matrix (a cross-scale metric), per-image, or reported (beside what papers print)."
)
Folders = Annotated[
    list[Path],
    typer.Argument(metavar="RUN_FOLDER...", help="The --out folder of a 'bench run'; several are read as one run."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("table")(table)
    app.command("merge")(merge)


def table(
    run_folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN_FOLDER...",
            help="The --out folder of a 'bench run'; several are read as one run. With --reported: a published table.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text, md, tex, html, json or csv.")] = TEXT,
    metrics: Annotated[str, typer.Option(help="Only these metrics, in this order; comma-separated.")] = "",
    datasets: Annotated[str, typer.Option(help="Only these datasets, in this order.")] = "",
    methods: Annotated[str, typer.Option(help="Only these methods, in this order.")] = "",
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this variant of its method: VARIANT or METHOD:VARIANT; several times.", show_default=False
        ),
    ] = None,
    scales: Annotated[str, typer.Option(help="Only these scales, such as 2,4.")] = "",
    protocol: Annotated[str | None, typer.Option(help="Only numbers of this protocol.")] = None,
    signature: Annotated[str, typer.Option(help="Only signatures with these tokens, such as y601s,shave:s.")] = "",
    rename: Annotated[
        list[str] | None, typer.Option(help="OLD=NEW name of a row; several times.", show_default=False)
    ] = None,
    layout: Annotated[str, typer.Option(help=_LAYOUTS)] = "auto",
    caption: Annotated[str, typer.Option(help="Caption, as plain text.")] = "",
    label: Annotated[str, typer.Option(help="LaTeX label.")] = "",
    significance: Annotated[
        bool,
        typer.Option("--significance", help="Methods that cannot be told from the best image by image share the bold."),
    ] = False,
    per_image: Annotated[
        bool, typer.Option("--per-image", help="A row per image, a column per method, and the mean.")
    ] = False,
    reported: Annotated[
        bool,
        typer.Option("--reported", help="A published table in its paper's layout (PAPER/tableN); alone: list them."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of the terminal.")] = None,
) -> None:
    """Print the table of a run; one table never mixes protocols, versions of a method or sets of images."""
    shown = shown_output(output, to_file=out is not None)
    if reported:
        _write(_reported(run_folders or [], shown), out)
        return
    if not run_folders:
        raise RequestError("no run given; name the --out folder of a 'bench run', or --reported for published tables")
    from bench.analysis import Selection
    from bench.report import TableOptions
    from bench.session import load

    chosen = Selection(
        methods=opt.names(methods),
        variants=tuple(variant or ()),
        datasets=opt.names(datasets),
        scales=parse_scales(scales) if scales else (),
        metrics=opt.names(metrics),
        protocol=protocol,
        signature=opt.names(signature),
    )
    looks = TableOptions(layout=layout, caption=caption, label=label, significance=significance, per_image=per_image)
    run = load(*run_folders).renamed(renamed(rename or []))
    text = _matrix(run.frames, shown, chosen, looks) if layout == MATRIX else run.typeset(shown, chosen, looks)
    _write(text, out)


def merge(
    run_folders: Folders,
    out: Annotated[Path, typer.Option(help="A new folder for the merged run.")],
) -> None:
    """Merge run folders into a new one: records, images and exports; what they both hold must agree."""
    from bench.session.merging import merge_folders

    merged = merge_folders(run_folders, out)
    for note in merged.notes:
        say(note)
    held = f"{counted(merged.cells, 'cell')}, {counted(merged.units, 'image')}"
    say(f"{out}: {held} from {counted(len(run_folders), 'folder')}")


def _matrix(frames: RunFrames, output: str | Output, chosen: Selection, looks: TableOptions) -> str:
    """A cross-scale metric, scale against scale: the one that is named, or SelfSSIM."""
    from bench.figures.selfssim.typeset import run_matrices, typeset_matrices

    if len(chosen.metrics) > 1:
        raise RequestError(f"--layout {MATRIX} shows one metric; got --metrics {','.join(chosen.metrics)}")
    metric = chosen.metrics[0] if chosen.metrics else "selfssim"
    return typeset_matrices(run_matrices(frames, metric, chosen, looks), output)


def _reported(names: list[Path], output: str | Output) -> str:
    """The published tables of these names one after the other; their list where none is named."""
    from bench.report.reported import render_names, render_reported

    return "\n".join(render_reported(name.as_posix(), output) for name in names) if names else render_names()


def _write(text: str, out: Path | None) -> None:
    if out is None:
        say(text.removesuffix("\n"))
    else:
        write_text(out, text)
