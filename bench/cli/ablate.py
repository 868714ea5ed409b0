"""`bench ablate METHOD[/NAME]`: variants of a method as rows of one run, and the table that holds them together."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.api import RequestError, user_path
from bench.api.lists import as_list
from bench.cli import options as opt
from bench.cli.output import say, warn, writing

if TYPE_CHECKING:
    from bench.ablation.files import AblationFile
    from bench.ablation.plan import AblationPlan
    from bench.ablation.sweep import Sweep
    from bench.session import Run

_INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ablate", help="Run the variants of an ablation or a sweep, and compare each with the default.")(ablate)


def ablate(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[METHOD[/NAME]]",
            help="An ablation, such as casarbi/scg, or a YAML file of one; a method alone lists its ablations, or is "
            "swept over. Default: list all.",
        ),
    ] = None,
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            "--datasets",
            help="Names or folders, comma-separated, or given several times. Default: the file's.",
            show_default=False,
        ),
    ] = None,
    scales: Annotated[str | None, typer.Option("--scale", "--scales", help="Default: the file's.")] = None,
    metrics: Annotated[str | None, typer.Option(help="Comma-separated. Default: the file's.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Default: the file's.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Default: the file's.")] = None,
    limit: opt.Limit = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            help="METHOD.OPTION=VALUE,VALUE,…: every variant at every value; several sweeps make a grid. seed=0,1,2 "
            "averages over seeds.",
            show_default=False,
        ),
    ] = None,
    variants: Annotated[str, typer.Option(help="Only these variants and the default; comma-separated.")] = "",
    train: Annotated[
        bool, typer.Option("--train", help="First train the variants that have no weights, on the file's budget.")
    ] = False,
    data: Annotated[str, typer.Option(help="With --train: folders of training images.")] = "",
    exclude: Annotated[str, typer.Option(help="With --train: folders of test images that are left out.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    output: Annotated[str, typer.Option("--format", help="What is printed: text, md, tex, csv or json.")] = "text",
    out: opt.Out = None,
    device: opt.DeviceName = None,
    workers: opt.Workers = None,
    plugin: opt.Plugin = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
) -> None:
    """Run an ablation."""
    from bench.ablation.files import SUFFIXES, find_ablation
    from bench.ablation.plan import RUNS
    from bench.ablation.schema import slug
    from bench.ablation.sweep import parse_sweeps
    from bench.cli.weights import load_plugins
    from bench.report.plain import FORMATS

    load_plugins(plugin)
    if output not in FORMATS:
        raise RequestError(f"unknown format '{output}'; choose --format text, md, tex, csv or json")
    sweeps, swept_seeds = parse_sweeps(sweep or [])
    if swept_seeds is not None and seeds is not None:
        raise RequestError("--seeds and --sweep seed=… both say the seeds; leave one out")
    of_file = name is not None and ("/" in name or Path(name).suffix in SUFFIXES)
    if name is None or not (of_file or sweep):
        _show_list(name, as_json=FORMATS[output] == "json")
        return
    file = find_ablation(name) if of_file else None
    words = slug(name.replace("/", "-")) if file is not None and "/" in file.name else Path(name).stem
    swept = [slug(f"{each.option}") for each in sweeps] if file is None else []
    folder = out if out is not None else RUNS / "-".join([words, *swept])
    chosen = _Chosen(name, file, sweeps, opt.names(variants), folder)
    if train:
        _train(chosen, data, exclude, device or "auto")
    elif data or exclude:
        raise RequestError("--data and --exclude are for --train; add it, or leave them out")
    sets = opt.dataset_words(datasets)
    values: dict[str, Any] = {
        "datasets": sets,
        "scales": scales,
        "metrics": metrics,
        "protocol": protocol,
        "seeds": swept_seeds if swept_seeds is not None else seeds,
        "limit": limit,
        "out": folder,
        "device": device,
        "workers": workers,
        "plugin": plugin or None,
        "data_root": data_root,
        "weights_root": weights_root,
    }
    if file is not None and file.content.figure is not None:
        from bench.cli.ablation_figure import draw_study

        unfit = {"--metrics": metrics, "--protocol": protocol, "--seeds": seeds, "--sweep": sweep or None}
        for option, value in unfit.items():
            if value is not None:
                raise RequestError(f"{file.name} is a figure and takes no {option}; leave it out")
        where = {"datasets": ",".join(sets) if sets else None, "scales": scales, "limit": limit, "data_root": data_root}
        complete = draw_study(file, chosen.plan(), folder, **where, how_to_train=_how_to_train(chosen))
        raise typer.Exit(0 if complete else 1)
    raise typer.Exit(_run(chosen, values, dry_run=dry_run, output=output))


class _Chosen:
    """The file or the method, the sweeps over it, and the run folder: what is planned, before and after a training."""

    def __init__(
        self, name: str, file: AblationFile | None, sweeps: Sequence[Sweep], only: Sequence[str], out: Path
    ) -> None:
        self.name, self.file, self.out = name, file, out
        self._sweeps, self._only = sweeps, only

    def plan(self) -> AblationPlan:
        """The rows, with the weights that there are now."""
        from bench.ablation.plan import plan_ablation, plan_sweep
        from bench.plugins import method_spec

        if self.file is None:
            return plan_sweep(method_spec(self.name), self._sweeps)
        return plan_ablation(self.file, out=self.out, sweeps=self._sweeps, only=self._only)


def _run(chosen: _Chosen, values: dict[str, Any], *, dry_run: bool, output: str) -> int:
    from bench.ablation.outcome import EXPORTS, ablation_outcome
    from bench.cli.finish import run_only, show_plan

    plan = chosen.plan()
    config = plan.config(values)
    how = _how_to_train(chosen)
    if dry_run:
        for variant in plan.absent:
            warn(f"{variant.label}: {variant.absent}; to train: {how}")
        show_plan(config)
        return 0
    run = run_only(config, quiet=output != "text")
    outcome = ablation_outcome(plan, run, how_to_train=how)
    with writing(chosen.out):
        outcome.write(chosen.out)
    say(outcome.text(output).removesuffix("\n"))
    drawn = _curve(plan, run, chosen.out)
    if output != "json":
        say(f"{chosen.out}: {', '.join([*EXPORTS, *drawn])}")
    if run.tally.interrupted:
        warn("stopped; finished work is kept. To go on, type the same command again")
        return _INTERRUPTED
    return 1 if run.tally.failures or run.tally.without else 0


def _curve(plan: AblationPlan, run: Run, out: Path) -> list[str]:
    """Draw the curve of a sweep over one number; the names of its files."""
    from bench.ablation.sweep import numeric_sweep
    from bench.api import format_scale

    if numeric_sweep(plan.sweeps) is None or run.tally.interrupted:
        return []
    from bench.cli.figure import draw_figure
    from bench.figures.sweep.request import SweepCurve

    shown = run.frames.summary
    wanted = SweepCurve(
        run_folders=[out],
        out=out / "sweep.pdf+png",
        datasets=as_list(dict.fromkeys(shown["dataset"])),
        scales=",".join(format_scale(scale) for scale in dict.fromkeys(shown["scale"])),
        metrics=",".join(name for name in dict.fromkeys(shown["metric"]) if "@" not in name),
    )
    draw_figure(wanted)
    return ["sweep.pdf", "sweep.png", "sweep.csv"]


def _train(chosen: _Chosen, data: str, exclude: str, device: str) -> None:
    from bench.ablation.training import TrainingImages, train_variants, untrained
    from bench.engine.inference import resolve_device

    if chosen.file is None:
        raise RequestError("--train is for ablations from files: a sweep runs the weights that are there")
    names = untrained(chosen.file, chosen.plan())
    if not names:
        say("nothing to train: every variant has its weights")
        return
    images = TrainingImages(folders=_folders(data), exclude=_folders(exclude))
    train_variants(chosen.file, names, images, out=chosen.out, device=resolve_device(device), say=say)


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(user_path(word) for word in opt.names(text))


def _how_to_train(chosen: _Chosen) -> str:
    """The command that was typed, with what trains the absent variants."""
    typed = [word for word in sys.argv[1:] if word not in ("--train", "--dry-run")]
    return f"{shlex.join(['bench', *typed])} --train --data FOLDER,FOLDER"


def _show_list(method: str | None, *, as_json: bool) -> None:
    from bench.cli.ablation_list import show_list

    show_list(method, as_json=as_json)
