"""`bench score SR_FOLDER HR_FOLDER`: numbers for images that were made elsewhere, under a named protocol."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.api import RequestError, parse_scale
from bench.cli import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("score", help="Score images made elsewhere against their references.")(score)


def score(
    sr_folder: Annotated[Path, typer.Argument(metavar="SR_FOLDER", help="The images to score.")],
    hr_folder: Annotated[str, typer.Argument(metavar="HR_FOLDER", help="Their references: a folder or a set's name.")],
    scale: Annotated[str, typer.Option(help="The scale that SR was made at; 1 compares images as they are.")],
    protocol: Annotated[str, typer.Option(help="A named protocol; 'bench protocols' lists them.")],
    metrics: opt.Metrics = opt.DEFAULT_METRICS,
    pattern: Annotated[str, typer.Option(help="File name of an SR image, with {image} and {scale}.")] = "",
    set_: opt.Set = None,
    out: opt.Out = Path("results/runs/score"),
    workers: opt.Workers = None,
    limit: opt.Limit = None,
    alpha: opt.Alpha = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
) -> None:
    """Score images made elsewhere; nothing is ever resized."""
    from bench.cli.finish import carry_out
    from bench.data import resolve_dataset
    from bench.engine.choice import MethodChoice, choose_methods
    from bench.engine.request import RunRequest

    if not sr_folder.is_dir():
        raise RequestError(f"SR_FOLDER {sr_folder} is not a folder; give the folder that holds the images to score")
    overrides = [f"precomputed.folder={sr_folder.resolve()}"]
    if pattern:
        overrides.append(f"precomputed.pattern={pattern}")
    overrides += set_ or []
    (found,) = choose_methods(["precomputed"], weights=None, overrides=overrides)
    label = sr_folder.resolve().name
    request = RunRequest(
        methods=(MethodChoice(found.spec, None, found.options, found.variant, False, label),),
        datasets=(resolve_dataset(hr_folder, data_root=data_root),),
        scales=(parse_scale(scale),),
        metrics=opt.split_list(metrics, "metric"),
        protocol=opt.named_protocol(protocol, alpha),
        out=out,
        limit=limit,
        workers=workers,
        weights_root=weights_root,
        command=shlex.join(["bench", *sys.argv[1:]]),
    )
    raise typer.Exit(carry_out(request))
