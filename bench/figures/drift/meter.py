"""Drift of a cascade: how far the image of each cycle is from natural images, from HR and from the LR image.

Every cycle's image is compared with HR reduced to the same size. A method without stages has one cycle. Cycle 0 is the
LR image. Idea: CASR (arXiv 2602.22159), Figure 1, which follows the distance of distributions cycle by cycle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.api import Protocol, Sample, Scale, Size, UnitError, derive_seed
from bench.data import prepare
from bench.engine.choice import MethodChoice
from bench.engine.inference import Runner
from bench.engine.rounding import Pixels
from bench.figures.cascades import cycle_images
from bench.figures.drift.distribution import Distribution, gradient_distribution, luma_distribution, pooled
from bench.imaging.resize import imresize_u8
from bench.metrics.scorer import Scorer

Kind = Literal["luma", "gradient"]
KINDS: tuple[Kind, ...] = ("luma", "gradient")
"""Distributions of a cycle: luma, and its differences between neighbouring pixels."""
MEASURES = (
    "luma_sd",
    "hr_luma_sd",
    "luma_distance",
    "gradient_sd",
    "hr_gradient_sd",
    "gradient_kurtosis",
    "hr_gradient_kurtosis",
    "gradient_distance",
    "niqe",
    "hr_niqe",
    "lr_psnr",
)
"""Measures of a cycle. Standard deviations and distances are in levels of 0..255; a distance is the mean way that
values must move to be distributed as HR's; `hr_*` is HR reduced to the cycle's size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cycle:
    """One image after one cycle of one method.

    Attributes:
        choice: The method variant.
        image: Its id.
        number: 0 for the LR image.
        size: (height, width).
        growth: Sides relative to those of the LR image (geometric mean of both axes).
        luma, gradient: Distributions of the cycle's image.
        hr_luma, hr_gradient: Of HR at this size; None without HR.
        values: MEASURES -> value; what could not be measured is absent.
        reasons: Measure -> why it is absent, where that is to be said.
    """

    choice: MethodChoice
    image: str
    number: int
    size: Size
    growth: float
    luma: Distribution
    gradient: Distribution
    hr_luma: Distribution | None
    hr_gradient: Distribution | None
    values: dict[str, float]
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanCycle:
    """One cycle of one method over all images.

    Attributes:
        choice, number: As in `Cycle`.
        growth: Mean over the images.
        n: Images.
        values: Measure -> mean over the images; only measures that every image has.
        cycles: What the means are over.
    """

    choice: MethodChoice
    number: int
    growth: float
    n: int
    values: dict[str, float]
    cycles: tuple[Cycle, ...]


class DriftMeter:
    """Measures cycles under one protocol, scale and seed; what is known of HR is kept for the next method."""

    def __init__(self, protocol: Protocol, scale: Scale, *, seed: int = 0, weights_root: Path | None = None) -> None:
        """Args: seed: of the run; weights_root: where NIQE's parameters lie."""
        self.protocol, self.scale, self.seed = protocol.drawn(seed), scale, seed
        self._scorer = Scorer(("niqe", "lr_psnr"), self.protocol, weights_root=weights_root)
        self._references: dict[tuple[str, Size], _Reference] = {}

    def measure(self, runner: Runner, sample: Sample) -> list[Cycle]:
        """Run a method on an image and measure what it makes.

        Returns:
            Cycle 0 (the LR image) to the last one (the result), in order.
        Raises:
            UnitError: the image cannot be prepared, or the method fails on it.
        """
        pair = prepare(sample, self.scale, self.protocol)
        if pair.lr is None:
            raise UnitError(f"{sample.id} has no LR image")
        lr = pair.lr
        seed = derive_seed(self.seed, sample.id)
        result = runner.infer(
            lr, pair.asked, self.protocol, image=sample.id, scale=self.scale, seed=seed, keep=pair.size
        )
        images = cycle_images(lr, result, pair.asked, self.protocol)
        cycles = []
        for number, pixels in enumerate(images):
            size = (pixels.shape[0], pixels.shape[1])
            reference = None if pair.hr is None else self._reference(sample.id, pair.hr, size)
            growth = math.sqrt(size[0] / pair.lr_shape[0] * size[1] / pair.lr_shape[1])
            asked = ("niqe", "lr_psnr") if number else ("niqe",)
            scored = self._scorer.score(pixels, None, lr, self.scale, sample.id, metrics=asked)
            cycles.append(
                _cycle(
                    runner.choice,
                    sample.id,
                    number,
                    growth,
                    pixels,
                    reference,
                    values={name: each.value for name, each in scored.items() if each.value is not None},
                    reasons={name: each.reason for name, each in scored.items() if each.value is None},
                )
            )
        return cycles

    def _reference(self, image: str, hr: Any, size: Size) -> _Reference:
        key = (image, size)
        if key not in self._references:
            pixels = imresize_u8(hr, size)
            niqe = self._scorer.score(pixels, None, None, self.scale, image, metrics=("niqe",))["niqe"].value
            self._references[key] = _Reference(luma_distribution(pixels), gradient_distribution(pixels), niqe)
        return self._references[key]


@dataclass(frozen=True, eq=False)
class _Reference:
    """HR at the size of a cycle."""

    luma: Distribution
    gradient: Distribution
    niqe: float | None


def _cycle(
    choice: MethodChoice,
    image: str,
    number: int,
    growth: float,
    pixels: Pixels,
    reference: _Reference | None,
    *,
    values: dict[str, float],
    reasons: dict[str, str],
) -> Cycle:
    luma, gradient = luma_distribution(pixels), gradient_distribution(pixels)
    found = {**values, "luma_sd": luma.sd, "gradient_sd": gradient.sd, "gradient_kurtosis": gradient.kurtosis}
    if reference is not None:
        found |= {
            "hr_luma_sd": reference.luma.sd,
            "luma_distance": luma.distance(reference.luma),
            "hr_gradient_sd": reference.gradient.sd,
            "hr_gradient_kurtosis": reference.gradient.kurtosis,
            "gradient_distance": gradient.distance(reference.gradient),
        }
        if reference.niqe is not None:
            found["hr_niqe"] = reference.niqe
    return Cycle(
        choice=choice,
        image=image,
        number=number,
        size=(pixels.shape[0], pixels.shape[1]),
        growth=growth,
        luma=luma,
        gradient=gradient,
        hr_luma=None if reference is None else reference.luma,
        hr_gradient=None if reference is None else reference.gradient,
        values={name: found[name] for name in MEASURES if name in found and math.isfinite(found[name])},
        reasons=reasons,
    )


def average(cycles: Iterable[Cycle]) -> list[MeanCycle]:
    """Means over the images, per method variant in the order of their coming, cycle by cycle."""
    groups: dict[tuple[int, int], list[Cycle]] = {}
    order: dict[int, int] = {}
    for cycle in cycles:
        place = order.setdefault(id(cycle.choice), len(order))
        groups.setdefault((place, cycle.number), []).append(cycle)
    return [_mean(group) for _, group in sorted(groups.items())]


def _mean(group: Sequence[Cycle]) -> MeanCycle:
    shared = [name for name in MEASURES if all(name in cycle.values for cycle in group)]
    return MeanCycle(
        choice=group[0].choice,
        number=group[0].number,
        growth=float(np.mean([cycle.growth for cycle in group])),
        n=len(group),
        values={name: float(np.mean([cycle.values[name] for cycle in group])) for name in shared},
        cycles=tuple(group),
    )


def pools(mean: MeanCycle, kind: Kind) -> tuple[Distribution, Distribution | None]:
    """The distributions of a cycle over all its images, each image counting alike: its own, and HR's if all have it."""
    images = pooled(cycle.luma if kind == "luma" else cycle.gradient for cycle in mean.cycles)
    known = [cycle.hr_luma if kind == "luma" else cycle.hr_gradient for cycle in mean.cycles]
    references = [reference for reference in known if reference is not None]
    return images, pooled(references) if len(references) == len(known) else None
