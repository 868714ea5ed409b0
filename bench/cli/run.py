"""`bench run`: methods x datasets x scales under one protocol, ending in a table."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.api import RequestError, parse_scales
from bench.cli import options as opt


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", help="Run methods on datasets at scales, score, and write the tables.")(run)


def run(
    methods: Annotated[str, typer.Option(help="Comma-separated; 'bench methods' lists them.")],
    scales: Annotated[str, typer.Option(help="Comma-separated, may be fractional: 2,3.6,8.")],
    datasets: Annotated[str, typer.Option(help="Names or folders, comma-separated; see 'bench datasets'.")] = "sample",
    metrics: opt.Metrics = opt.DEFAULT_METRICS,
    protocol: opt.ProtocolName = None,
    seeds: Annotated[
        str, typer.Option(help="Seeds of stochastic methods and of drawn degradations, comma-separated.")
    ] = "0",
    weights: opt.Weights = None,
    set_: opt.Set = None,
    out: opt.Out = opt.DEFAULT_OUT,
    device: opt.Device = "auto",
    executor: Annotated[str, typer.Option(help="Who runs the scoring: local (processes on this machine).")] = "local",
    workers: opt.Workers = None,
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None,
    plugin: opt.Plugin = None,
    limit: opt.Limit = None,
    alpha: opt.Alpha = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first image that fails.")] = False,
) -> None:
    """Run methods on datasets at scales, score, and write the tables."""
    from bench.cli.finish import carry_out
    from bench.data import resolve_dataset
    from bench.engine.choice import choose_methods
    from bench.engine.request import RunRequest
    from bench.plugins import load_plugin

    if executor != "local":
        raise RequestError(f"--executor {executor}: only 'local' is available in this version")
    for path in plugin or []:
        load_plugin(path)
    scale_list = parse_scales(scales)
    chosen = choose_methods(opt.split_list(methods, "method"), weights=weights, overrides=set_ or [])
    sets = tuple(resolve_dataset(name, data_root=data_root) for name in opt.split_list(datasets, "dataset"))
    request = RunRequest(
        methods=chosen,
        datasets=sets,
        scales=scale_list,
        metrics=opt.split_list(metrics, "metric"),
        protocol=opt.named_protocol(protocol or _default_protocol(sets), alpha),
        seeds=opt.parse_seeds(seeds),
        out=Path(out),
        device=device,
        limit=limit,
        workers=workers,
        tile=tile,
        weights_root=weights_root,
        command=shlex.join(["bench", *sys.argv[1:]]),
        fail_fast=fail_fast,
    )
    raise typer.Exit(carry_out(request))


def _default_protocol(sets: tuple) -> str:
    """The one protocol that the datasets' cards name.

    Raises:
        RequestError: the cards name different ones.
    """
    names = {dataset.name: dataset.default_protocol or "sample" for dataset in sets}
    if len(set(names.values())) > 1:
        listed = ", ".join(f"{name}: {protocol}" for name, protocol in names.items())
        raise RequestError(f"these datasets have different default protocols ({listed}); choose with --protocol NAME")
    return next(iter(names.values()))
