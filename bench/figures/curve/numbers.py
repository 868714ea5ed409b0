"""Points of curves over the scales: means as tables have them, and how far they would move with other images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.api import Scale, derive_seed, single_factors
from bench.figures.from_run import Chosen, why_missing
from bench.report.model import NOT_HERE, MethodRow, MetricColumn

DRAWS, _AT_ONCE = 5000, 250
"""Resamplings behind a band, and how many of them are in memory."""
LEVEL = 0.95
"""Share of the resampled means within a band."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One method at one scale.

    Attributes:
        scale: Nominal.
        mean: As the table prints it before rounding; None for an incomplete cell.
        low, high: The band; None where there is none (one image, a value of a whole set, another mean than the plain).
        n: Images behind it.
        missing: Why there is no mean, in a few words.
    """

    scale: Scale
    mean: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    missing: str = ""

    def columns(self) -> dict[str, Any]:
        """What the CSV file beside a figure says of it."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n, "note": self.missing}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One method in one panel; what nobody asked for has no point."""

    dataset: str
    metric: MetricColumn
    row: MethodRow
    points: tuple[Point, ...]


def lines_of(chosen: Chosen, *, seed: int) -> list[Line]:
    """All lines, per dataset, metric and method in the order of the table.

    Args:
        chosen: Rows of a run; its scales with a factor per axis have no place on an axis of one factor.
        seed: Of the resampling, which is the same for every method: images are drawn alike, so bands can be compared.
    """
    table = chosen.table
    return [
        Line(
            dataset=dataset,
            metric=metric,
            row=row,
            points=tuple(
                point
                for scale in sorted(single_factors(table.scales))
                if (point := point_of(chosen, dataset, scale, metric, row, seed)) is not None
            ),
        )
        for dataset in table.datasets
        for metric in table.metrics
        for row in table.methods
    ]


def interval(values: Sequence[float], seed: int) -> tuple[float, float] | None:
    """The bootstrap percentile interval of the mean over images; None where the values say nothing of it.

    Args:
        values: One per image, ordered by image.
        seed: Of the resampling.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    rng = np.random.default_rng(derive_seed(seed, "bootstrap", len(values)))
    numbers, shape = np.asarray(values), (_AT_ONCE, len(values))
    means = [numbers[rng.integers(0, len(values), shape)].mean(axis=1) for _ in range(DRAWS // _AT_ONCE)]
    low, high = np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def point_of(
    chosen: Chosen, dataset: str, scale: Scale, metric: MetricColumn, row: MethodRow, seed: int
) -> Point | None:
    """One method at one scale; None where nobody asked for it.

    Args:
        chosen: Rows of a run.
        dataset, scale, metric, row: Which cell.
        seed: Of the resampling.
    """
    cell = chosen.table.cell(dataset, scale, metric.name, row)
    if cell is NOT_HERE:
        return None
    if cell.value is None or not math.isfinite(cell.value):
        return Point(scale=scale, mean=None, missing=why_missing(cell))
    values = chosen.images(dataset, scale, metric.name, row)
    band = None
    if "*" not in values and chosen.plain_mean(dataset, scale, metric.name, row):
        band = interval([values[image] for image in sorted(values)], seed)
    low, high = band or (None, None)
    return Point(scale=scale, mean=cell.value, low=low, high=high, n=cell.expected)
