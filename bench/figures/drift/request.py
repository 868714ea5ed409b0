"""`bench figure drift`: its options, and the way from them to the figure and its files of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from bench.api import RequestError, Sample, UnitError, counted, format_scale
from bench.figures import options as opt
from bench.figures.cascades import CascadeFigure
from bench.figures.contract import Drawn, Numbers, Warn

if TYPE_CHECKING:
    from bench.engine.choice import MethodChoice
    from bench.figures.drift.meter import Cycle, DriftMeter, MeanCycle

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


@dataclass(frozen=True, kw_only=True)
class Drift(CascadeFigure):
    """Run methods on images at one scale and measure the image of every cycle."""

    summary: ClassVar[str] = "How a cascade drifts from natural images, HR and LR, cycle by cycle."

    out: Annotated[
        Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv, and -densities.csv.")
    ]
    limit: opt.Limit = None
    weights_root: opt.WeightsRoot = None

    def draw(self, warn: Warn) -> Drawn:
        """Measure every cycle of every variant on every image; an image that fails for one is left out for all."""
        from bench.engine.plan import select_samples
        from bench.figures.drift.drawing import draw_drift
        from bench.figures.drift.meter import DriftMeter, average
        from bench.figures.drift.numbers import cycle_csv, density_csv

        request = self.resolved(limit=self.limit, weights_root=self.weights_root)
        choices, (dataset,), (factor,), protocol = request.methods, request.datasets, request.scales, request.protocol
        samples = select_samples(dataset, factor, protocol, self.limit)
        meter = DriftMeter(protocol, factor, seed=self.seed, weights_root=self.weights_root)
        cycles, failed = _measure(meter, choices, samples, device=self.device, tile=self.tile, warn=warn)
        if not cycles:
            raise RequestError(f"nothing could be measured: {failed[0]}")
        means = average(cycles)
        note = f"{dataset.name} at x{format_scale(factor)}, protocol {protocol.name}. {_inference_time(choices)}"
        numbers, densities = self.out.with_suffix(".csv"), self.out.with_name(f"{self.out.stem}-densities.csv")
        return Drawn(
            figure=draw_drift(means, note=note.strip()),
            texts={numbers: cycle_csv(cycles), densities: density_csv(means)},
            shown=_shown(means),
            closing=f"{self.out}: with {numbers.name} and {densities.name}; "
            f"{counted(len(choices), 'variant')}, {counted(len(samples), 'image')}",
            complete=not failed,
        )


def _measure(
    meter: DriftMeter,
    choices: Sequence[MethodChoice],
    samples: Sequence[Sample],
    *,
    device: str,
    tile: int | None,
    warn: Warn,
) -> tuple[list[Cycle], list[str]]:
    """Cycles that were measured, and what failed; an image that fails for one variant is left out for all of them."""
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


def _shown(means: Sequence[MeanCycle]) -> Numbers:
    return Numbers(
        rows=[
            {"method": mean.choice.display, "cycle": mean.number, "growth": mean.growth, "n": mean.n, **mean.values}
            for mean in means
        ],
        columns=_SHOWN,
    )
