"""`bench run`: methods x datasets x scales under one protocol, ending in a table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", help="Run methods on datasets at scales, score, and write the tables.")(run)


def run(
    methods: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated; METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS. 'bench methods' lists them.",
            show_default=False,
        ),
    ] = None,
    scales: Annotated[
        str | None,
        typer.Option(help="Comma-separated, may be fractional, or height x width: 2,3.6,1.5x2.", show_default=False),
    ] = None,
    datasets: opt.Datasets = None,
    metrics: opt.Metrics = None,
    protocol: opt.ProtocolName = None,
    degradation: Annotated[
        str | None,
        typer.Option(
            help="What LR is made with: none, blind-assr, real-esrgan or real-esrgan-light; drawn per image and seed, "
            "stored in OUT/degradations. Default: the protocol's."
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds of stochastic methods and of drawn degradations. Default: 0.")
    ] = None,
    weights: opt.Weights = None,
    set_: opt.Set = None,
    versus: opt.Versus = None,
    name: opt.Name = None,
    out: opt.Out = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A YAML or JSON file with these options, or the run.json of a run; what is typed wins."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    device: opt.DeviceName = None,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Where images are computed and scored: local (this machine, the default) or ray (a cluster)."
        ),
    ] = None,
    procs: opt.Procs = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="Ray cluster to join: auto or HOST:PORT. Default: one on this machine, started and stopped."),
    ] = None,
    shared_fs: Annotated[
        bool, typer.Option("--shared-fs", help="Every machine of the cluster sees these files under the same paths.")
    ] = False,
    workers: opt.Workers = None,
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None,
    plugin: opt.Plugin = None,
    limit: opt.Limit = None,
    alpha: opt.Alpha = None,
    sr_size: opt.SrSize = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first image that fails.")] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="PART/PARTS",
            help="Only this part of the images, such as 3/16, with an --out of its own; 'bench merge' joins them.",
        ),
    ] = None,
) -> None:
    """Run methods on datasets at scales, score, and write the tables."""
    typed: dict[str, Any] = {
        "methods": methods,
        "scales": scales,
        "datasets": opt.dataset_words(datasets),
        "metrics": metrics,
        "protocol": protocol,
        "degradation": degradation,
        "seeds": seeds,
        "weights": weights,
        "set": set_ or None,
        "versus": versus or None,
        "name": name or None,
        "out": out,
        "device": device,
        "executor": executor,
        "procs": procs,
        "ray_address": ray_address,
        "shared_fs": shared_fs or None,
        "workers": workers,
        "tile": tile,
        "plugin": plugin or None,
        "limit": limit,
        "alpha": alpha,
        "sr_size": sr_size,
        "data_root": data_root,
        "weights_root": weights_root,
        "fail_fast": fail_fast or None,
        "shard": shard,
    }
    from bench.cli.finish import carry_out, show_plan
    from bench.session.config import make_config, read_config

    values = {key: value for key, value in typed.items() if value is not None}
    read = read_config(config) if config is not None else {}
    request = make_config({**read, **values}, where=str(config or ""), typed=values)
    if dry_run:
        show_plan(request)
        return
    raise typer.Exit(carry_out(request, shlex.join(["bench", *sys.argv[1:]])))
