"""`bench import FOLDER HR`: folders of published SR images as rows of a run folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options as opt
from bench.cli.output import say

if TYPE_CHECKING:
    from bench.session.imported import Imported

_FILES_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import", help="Read a folder of published SR images and score them as rows of a run.")(import_folder)


def import_folder(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The published images, at any depth.")],
    hr: Annotated[str, typer.Argument(metavar="HR", help="Their references: a folder or a set's name.")],
    protocol: opt.ProtocolName = None,
    metrics: opt.Metrics = None,
    rows: Annotated[str | None, typer.Option(help="Only these rows, comma-separated. Default: all.")] = None,
    scales: Annotated[str | None, typer.Option(help="Only these scales, comma-separated. Default: all.")] = None,
    scale: Annotated[str | None, typer.Option(help="The scale of files whose names say none.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="OPTION=VALUE of every row, such as luma=true; several times.")
    ] = None,
    out: opt.Out = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how the folder is read, and do nothing.")] = False,
    workers: opt.Workers = None,
    limit: opt.Limit = None,
    alpha: opt.Alpha = None,
    sr_size: opt.SrSize = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
) -> None:
    """Score published images; nothing is computed and nothing is ever resized."""
    from bench.api.scale import parse_scales
    from bench.cli.finish import carry_out, show_plan
    from bench.session.imported import import_configs

    imported = import_configs(
        folder,
        hr,
        rows=opt.names(rows) if rows else (),
        scales=parse_scales(scales) if scales else (),
        scale=scale,
        out=out,
        set=set_ or (),
        data_root=data_root,
        protocol=protocol,
        metrics=metrics,
        workers=workers,
        limit=limit,
        alpha=alpha,
        sr_size=sr_size,
        weights_root=weights_root,
    )
    _say_reading(imported)
    if dry_run:
        for config in imported.configs:
            show_plan(config)
        return
    command = shlex.join(["bench", *sys.argv[1:]])
    codes: list[int] = []
    for config in imported.configs:
        codes.append(carry_out(config, command))
        if codes[-1] == 130:
            break
    if len(imported.configs) > 1:
        say(f"rows with other scales are other tables; all of them in one: bench table {imported.configs[0].out}")
    raise typer.Exit(max(codes))


def _say_reading(imported: Imported) -> None:
    """How each row was read, and the files that none of them has."""
    from bench.api import counted, format_scale

    for row in imported.rows:
        counts = ", ".join(f"x{format_scale(s)} {len(ids)}/{imported.references}" for s, ids in row.images.items())
        say(f"{row.name}: {row.pattern}, read by '{row.rule}': {counts} images")
    for reason, files in imported.survey.unused.items():
        shown = ", ".join(files[:_FILES_SHOWN]) + (", …" if len(files) > _FILES_SHOWN else "")
        say(f"not used, {reason}: {counted(len(files), 'file')} ({shown})")
    chosen = {row.name for row in imported.rows}
    if others := [row.name for row in imported.survey.rows if row.name not in chosen]:
        say(f"not used, of rows that were not asked for: {', '.join(others)}")
