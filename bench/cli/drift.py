"""`bench figure drift`: what becomes of an image cycle by cycle, for several methods and variants side by side."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.api import RequestError, Sample, UnitError, format_scale, parse_scale
from bench.cli import options as opt
from bench.cli.numbers import show_numbers, write_csv
from bench.cli.output import say, warn, writing

if TYPE_CHECKING:
    from bench.analysis.drift import Cycle, DriftMeter, MeanCycle
    from bench.engine.choice import MethodChoice

_SHOWN = (
    ("method", "method", "{}"),
    ("cycle", "cycle", "{}"),
    ("growth", "grown", "x{:.4g}"),
    ("n", "images", "{}"),
    ("luma_distance", "luma dist", "{:.2f}"),
    ("gradient_distance", "diff dist", "{:.3f}"),
    ("gradient_sd", "diff sd", "{:.2f}"),
    ("hr_gradient_sd", "HR's", "{:.2f}"),
    ("niqe", "NIQE", "{:.2f}"),
    ("hr_niqe", "HR's NIQE", "{:.2f}"),
    ("lr_psnr", "LR-PSNR", "{:.2f}"),
)


def register(figure: typer.Typer) -> None:
    """Add the command to `bench figure`."""
    figure.command("drift", help="How a cascade drifts from natural images, HR and LR, cycle by cycle.")(drift)


def drift(
    methods: Annotated[str, typer.Argument(metavar="METHOD[,METHOD…]", help="'bench methods' lists them.")],
    data: Annotated[str, typer.Option(help="Images: a folder or a set's name.")],
    scale: Annotated[str, typer.Option(help="A number of at least 1, may be fractional.")],
    out: Annotated[
        Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv, and -densities.csv.")
    ],
    set_: opt.Set = None,
    versus: Annotated[
        list[str] | None,
        typer.Option(
            help="A variant to compare with: METHOD.OPTION=VALUE on top of --set, several options of one variant "
            "separated by spaces; may be given several times.",
            show_default=False,
        ),
    ] = None,
    weights: opt.Weights = None,
    protocol: opt.ProtocolName = None,
    seed: Annotated[int, typer.Option(min=0, help="Of stochastic methods and of drawn degradations.")] = 0,
    limit: opt.Limit = None,
    device: opt.Device = "auto",
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None,
    plugin: opt.Plugin = None,
    data_root: opt.DataRoot = None,
    weights_root: opt.WeightsRoot = None,
) -> None:
    """Run methods on images at one scale and measure the image of every cycle."""
    from bench.analysis.drift import DriftMeter, average
    from bench.data import resolve_dataset
    from bench.engine.plan import select_samples
    from bench.plugins import load_plugin
    from bench.report.drift import draw_drift
    from bench.report.figures import check_target

    check_target(out)
    factor = parse_scale(scale)
    for path in plugin or []:
        load_plugin(path)
    choices = variants(opt.split_list(methods, "method"), weights=weights, overrides=set_ or [], versus=versus or [])
    dataset = resolve_dataset(data, data_root=data_root)
    knobs = opt.named_protocol(protocol or dataset.default_protocol or "sample", None)
    samples = select_samples(dataset, factor, knobs, limit)
    meter = DriftMeter(knobs, factor, seed=seed, weights_root=weights_root)
    cycles, failed = _measure(meter, choices, samples, device=device, tile=tile)
    if not cycles:
        raise RequestError(f"nothing could be measured: {failed[0]}")
    means = average(cycles)
    note = f"{dataset.name} at x{format_scale(factor)}, protocol {knobs.name}. {_inference_time(choices)}"
    _write(out, draw_drift(means, note=note.strip()), cycles, means)
    _show(means)
    say(f"{out}: with {_numbers(out).name} and {_densities(out).name}; {len(choices)} variants, {len(samples)} images")
    if failed:
        raise typer.Exit(1)


def variants(
    names: Sequence[str], *, weights: str | None, overrides: Sequence[str], versus: Sequence[str]
) -> list[MethodChoice]:
    """The methods as `--set` says, each followed by its variants.

    Args:
        names: Registered names.
        weights, overrides: As `choose_methods` takes them.
        versus: Each "name.option=value", several of them separated by spaces: one more variant of these methods.
    Raises:
        RequestError: as `choose_methods`, an empty variant, or two variants that are the same.
    """
    from bench.engine.choice import choose_methods

    base = choose_methods(names, weights=weights, overrides=overrides)
    found = {choice.name: [choice] for choice in base}
    for text in versus:
        items = shlex.split(text)
        if not items:
            raise RequestError("--versus needs METHOD.OPTION=VALUE, such as --versus casr.ssam=false")
        meant = {item.partition(".")[0] for item in items}
        for choice in choose_methods(names, weights=weights, overrides=[*overrides, *items]):
            if choice.name in meant:
                found[choice.name].append(choice)
    for own in found.values():
        seen = [choice.options for choice in own]
        twice = next((choice for number, choice in enumerate(own) if choice.options in seen[:number]), None)
        if twice is not None:
            raise RequestError(f"{twice.display} would be drawn twice: a --versus variant must differ from the others")
    return [choice for own in found.values() for choice in own]


def _measure(
    meter: DriftMeter, choices: Sequence[MethodChoice], samples: Sequence[Sample], *, device: str, tile: int | None
) -> tuple[list[Cycle], list[str]]:
    """What was measured, and what failed; an image that fails for one variant is left out for all of them."""
    from bench.engine.inference import Runner

    cycles: list[Cycle] = []
    failed: dict[str, str] = {}
    for choice in choices:
        runner = Runner(choice, device=device, tile=tile)
        for note in runner.method.notes:
            warn(f"{choice.display}: {note}")
        for sample in samples:
            if sample.id in failed:
                continue
            try:
                cycles += meter.measure(runner, sample)
            except UnitError as fault:
                failed[sample.id] = f"{sample.id}: {fault}"
                warn(f"{sample.id} is left out: {fault}")
    return [cycle for cycle in cycles if cycle.image not in failed], list(failed.values())


def _inference_time(choices: Sequence[MethodChoice]) -> str:
    """A sentence where variants share weights: an ablation proper has networks of its own."""
    weighted = [(choice.name, choice.weights) for choice in choices if choice.weights is not None]
    if len(set(weighted)) == len(weighted):
        return ""
    return "Variants of one method run the same weights with parts switched at inference; none was trained for its own."


def _write(out: Path, drawing: Any, cycles: Sequence[Cycle], means: Sequence[MeanCycle]) -> None:
    from bench.report.drift import CYCLE_COLUMNS, DENSITY_COLUMNS, cycle_rows, density_rows
    from bench.report.figures import save_figure

    with writing(out):
        save_figure(drawing, out)
    write_csv(_numbers(out), cycle_rows(cycles), CYCLE_COLUMNS)
    write_csv(_densities(out), density_rows(means), DENSITY_COLUMNS)


def _numbers(out: Path) -> Path:
    return out.with_suffix(".csv")


def _densities(out: Path) -> Path:
    return out.with_name(f"{out.stem}-densities.csv")


def _show(means: Sequence[MeanCycle]) -> None:
    rows = [
        {"method": mean.choice.display, "cycle": mean.number, "growth": mean.growth, "n": mean.n, **mean.values}
        for mean in means
    ]
    show_numbers(rows, _SHOWN)
