"""`bench figure kernels` and `kernel-space`: their options, and the way from them to figure and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, counted, derive_seed, parse_factors, user_path
from bench.figures import options as opt
from bench.figures.contract import Drawn, FigureRequest, Numbers, Warn
from bench.figures.kernels.recovery import check_kernel, find_recovery, hr_images, hr_samples, place_of

if TYPE_CHECKING:
    from bench.figures.kernels.drawing import KernelColumn, StudyModel, StudyRow

Name = Annotated[str, typer.Argument(help="A method that estimates kernels, such as blind_assr.")]
Data = Annotated[str, typer.Option(help="HR images: a folder or a set's name.")]
Out = Annotated[Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv.")]
_SCALES = "1.2,1.6,2,2.4,2.8,3.2,3.6,4"
_LONGEST = 40
"""Letters of an image's name under the figure."""


@dataclass(frozen=True, kw_only=True)
class Kernels(FigureRequest):
    """Image i of the set under degradation i at scale i, each taken in turn."""

    summary: ClassVar[str] = "True and estimated kernels of drawn degradations."

    method: Name
    data: Data
    out: Out
    weights: opt.Weights = None
    count: Annotated[int, typer.Option(min=1, max=32, help="Degradations to draw.")] = 8
    seed: Annotated[int, typer.Option(min=0, help="Of the degradations, which are the same for every model.")] = 0
    scales: Annotated[str, typer.Option(help="Taken in turn.")] = _SCALES
    target: Annotated[
        str | None, typer.Option(help="The true kernel: analytic (default), fft_paper, fft_release, fft_joint_taper.")
    ] = None
    data_root: opt.DataRoot = None

    def draw(self, warn: Warn) -> Drawn:
        """Degrade, estimate, and set each estimate beside the true kernel."""
        recovery = find_recovery(self.method)
        scales = parse_factors(self.scales, "--scales")
        check_kernel(self.target, recovery.TARGETS)
        from bench.engine.choice import choose_methods
        from bench.figures.kernels.drawing import draw_recovery
        from bench.figures.kernels.numbers import KERNEL_TABLE, kernel_rows
        from bench.figures.numbers import csv_text
        from bench.imaging.degrade import draw_blind_assr

        (choice,) = choose_methods([self.method], weights=self.weights, overrides=[])
        if choice.weights is None:
            raise RequestError(f"'{self.method}' has no weights of its own; give a file with --weights PATH")
        samples = hr_samples(self.data, self.data_root, scales)
        records = recovery.recover(
            choice.weights,
            hr_images([samples[index % len(samples)] for index in range(self.count)]),
            [draw_blind_assr(derive_seed(self.seed, "kernel-figure", index)) for index in range(self.count)],
            [scales[index % len(scales)] for index in range(self.count)],
            target=self.target or recovery.TARGETS[0],
        )
        rows = kernel_rows(records, choice.variant)
        numbers = self.out.with_suffix(".csv")
        return Drawn(
            figure=draw_recovery([_column(record) for record in records]),
            texts={numbers: csv_text(rows)},
            shown=Numbers(rows=rows, columns=KERNEL_TABLE),
            closing=f"{self.out} and {numbers.name}: {choice.display}, "
            f"{counted(len(records), 'degradation')} of seed {self.seed}",
        )


@dataclass(frozen=True, kw_only=True)
class KernelSpace(FigureRequest):
    """Numbers are means over the images; the figure shows one of them."""

    summary: ClassVar[str] = "One blur at several scales, estimated in LR space and in HR space."

    method: Name
    data: Data
    kl: Annotated[Path, typer.Option(help="Weights trained for the LR-space kernel.")]
    kh: Annotated[Path, typer.Option(help="Weights trained for the HR-space kernel.")]
    out: Out
    scales: Annotated[str | None, typer.Option(help="Default: those of the paper's Figure 4.")] = None
    target: Annotated[
        str | None, typer.Option(help="What --kl is compared with; default: what its card says, else analytic.")
    ] = None
    image: Annotated[str | None, typer.Option(help="The image to show; default the first.")] = None
    limit: opt.Limit = None
    data_root: opt.DataRoot = None

    def draw(self, warn: Warn) -> Drawn:
        """Estimate one blur at all scales with both models."""
        recovery = find_recovery(self.method)
        scales = parse_factors(self.scales, "--scales") if self.scales is not None else recovery.STUDY_SCALES
        check_kernel(self.target, recovery.TARGETS)
        from bench.figures.kernels.drawing import draw_study
        from bench.figures.kernels.numbers import STUDY_TABLE, study_rows
        from bench.figures.numbers import csv_text

        samples = hr_samples(self.data, self.data_root, scales)[: self.limit]
        shown = place_of(self.image, samples)
        kl, kh = user_path(self.kl), user_path(self.kh)
        results = recovery.kernel_space(kl, kh, hr_images(samples), scales=scales, target=self.target)
        for path, result in zip((self.kl, self.kh), results, strict=True):
            if result.trained_for not in (None, result.target):
                warn(f"{path} was trained for '{result.trained_for}', but is compared with '{result.target}'")
        many = f", of {len(samples)} images that the numbers are means over" if len(samples) > 1 else ""
        name = samples[shown].id
        name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
        rows = study_rows(results, len(samples))
        numbers = self.out.with_suffix(".csv")
        return Drawn(
            figure=draw_study(*_study(results, scales, shown), note=f"Shown: {name}{many}."),
            texts={numbers: csv_text(rows)},
            shown=Numbers(rows=rows, columns=STUDY_TABLE),
            closing=f"{self.out} and {numbers.name}: "
            f"{counted(len(samples), 'image')} at {counted(len(scales), 'scale')}",
        )


def _column(record: Any) -> KernelColumn:
    from bench.figures.kernels.drawing import KernelColumn

    blur = record.degradation.blur
    return KernelColumn(
        image=record.crop,
        true=record.true,
        estimated=record.estimated,
        scale=record.scale,
        shrinker=record.degradation.shrinker,
        sigmas=(blur.sigma_1, blur.sigma_2),
        theta=blur.theta,
        reblur_error=record.reblur_error,
        true_reblur_error=record.true_reblur_error,
    )


def _study(results: Sequence[Any], scales: Sequence[float], shown: int) -> tuple[list[StudyRow], list[StudyModel]]:
    from bench.figures.kernels.drawing import KernelPair, StudyModel, StudyRow

    rows = []
    for place, scale in enumerate(scales):
        records = [result.records[shown * len(scales) + place] for result in results]
        pairs = tuple(
            KernelPair(
                true=record.true,
                estimated=record.estimated,
                kernel_l1=result.scales[place].kernel_l1,
                reblur_psnr=result.scales[place].reblur_psnr,
            )
            for record, result in zip(records, results, strict=True)
        )
        rows.append(StudyRow(scale=scale, image=records[0].crop, pairs=pairs))
    models = [
        StudyModel(
            title=f"trained for the {where} kernel",
            space=index,
            l1=(result.l1_mean, result.l1_spread),
            psnr=(result.psnr_mean, result.psnr_spread),
            estimate_spread=result.estimate_spread,
            true_spread=result.true_spread,
        )
        for where, index, result in zip(("LR-space", "HR-space"), "lh", results, strict=True)
    ]
    return rows, models
