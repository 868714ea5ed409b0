"""The numbers of a drift figure as CSV: measures of every cycle, and the distributions over all images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.figures.drift.meter import KINDS, MEASURES, Cycle, MeanCycle, pools
from bench.figures.numbers import csv_text

CYCLE_COLUMNS = (
    "method",
    "variant",
    "image",
    "cycle",
    "height",
    "width",
    "growth",
    *MEASURES,
)
"""One line per method variant, image and cycle; cycle 0 is the LR image. Empty: not measured."""
DENSITY_COLUMNS = ("method", "variant", "cycle", "of", "value", "share", "hr_share")
"""One line per value of a distribution over all images of a cycle; `of` is luma or gradient, shares sum to 1."""


def cycle_csv(cycles: Sequence[Cycle]) -> str:
    """The file of measures, see CYCLE_COLUMNS."""
    rows = [
        {
            "method": cycle.choice.name,
            "variant": cycle.choice.variant,
            "image": cycle.image,
            "cycle": cycle.number,
            "height": cycle.size[0],
            "width": cycle.size[1],
            "growth": cycle.growth,
            **cycle.values,
        }
        for cycle in cycles
    ]
    return csv_text(rows, CYCLE_COLUMNS)


def density_csv(means: Sequence[MeanCycle]) -> str:
    """The file of distributions, see DENSITY_COLUMNS; values that occur nowhere are left out."""
    return csv_text([row for mean in means for row in _density_rows(mean)], DENSITY_COLUMNS)


def _density_rows(mean: MeanCycle) -> Iterator[dict[str, Any]]:
    for kind in KINDS:
        image, reference = pools(mean, kind)
        hr_density = None if reference is None else reference.density
        for place, (value, share) in enumerate(zip(image.values, image.density, strict=True)):
            hr_share = None if hr_density is None else hr_density[place]
            if share > 0 or hr_share:
                yield {
                    "method": mean.choice.name,
                    "variant": mean.choice.variant,
                    "cycle": mean.number,
                    "of": kind,
                    "value": int(value),
                    "share": share,
                    "hr_share": hr_share,
                }
