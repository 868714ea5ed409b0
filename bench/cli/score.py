"""`bench score SR_FOLDER [HR_FOLDER]`: numbers for images that were made elsewhere, under a named protocol."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score", help="Score images made elsewhere against their references.")(score)


def score(
    sr_folder: Annotated[Path, typer.Argument(metavar="SR_FOLDER", help="The images to score.")],
    hr_folder: Annotated[
        str | None,
        typer.Argument(
            metavar="[HR_FOLDER]",
            help="Their references: a folder or a set's name. Without, metrics that need none score the images alone.",
        ),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="The scale that SR was made at; 1 compares images as they are.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="A named protocol ('bench protocols') or FILE.yaml; needed where there are references."),
    ] = None,
    metrics: opt.Metrics = None,
    pattern: Annotated[str, typer.Option(help="File name of an SR image, with {image} and {scale}.")] = "",
    name: Annotated[str, typer.Option(help="What tables call these images.")] = "",
    set_: opt.Set = None,
    out: opt.Out = None,
    workers: opt.Workers = None,
    limit: opt.Limit = None,
    alpha: opt.Alpha = None,
    sr_size: opt.SrSize = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
) -> None:
    """Score images made elsewhere; nothing is ever resized."""
    from bench.cli.finish import carry_out
    from bench.session.score_config import score_config

    config = score_config(
        sr_folder,
        hr_folder,
        scale=scale,
        protocol=protocol,
        pattern=pattern,
        name=name,
        set=set_ or (),
        metrics=metrics,
        out=out,
        workers=workers,
        limit=limit,
        alpha=alpha,
        sr_size=sr_size,
        data_root=data_root,
        weights_root=weights_root,
    )
    raise typer.Exit(carry_out(config, shlex.join(["bench", *sys.argv[1:]])))
