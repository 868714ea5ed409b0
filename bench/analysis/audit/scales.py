"""Distortion that falls as the scale grows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from bench.analysis.audit.evidence import Evidence, Number, grouped, place
from bench.analysis.audit.finding import Severity, Told, check
from bench.api import Direction

TOLERANCES: Mapping[str, float] = {"psnr": 0.05, "ssim": 0.002, "lpips": 0.005, "dists": 0.005}
"""Metric that needs a reference -> gain at a larger scale that is not remarkable."""


@check(
    "non-monotone",
    "a larger scale with less distortion on the same images",
    "More must be invented at a larger scale, so distortion grows; where it falls, the scales were not tested alike "
    "(other LR images, other image sizes) or two cells were exchanged.",
)
def non_monotone(evidence: Evidence) -> Told:
    """Neighbouring scales at which a metric with reference gets better; one finding per table and metric.

    Of scales with a factor per axis none is the larger for certain (1.5 x 4 or 2.5 x 2.5), so they are left out.
    """
    numbers = [n for n in evidence.present if n.metric in TOLERANCES and isinstance(n.scale, float)]
    for (table, metric), own in grouped(numbers, lambda n: (n.table, n.metric)).items():
        lines = [line for rows in grouped(own, lambda n: n.dataset).values() for line in _steps(rows, metric)]
        if lines:
            yield Severity.WARNING, place(table, metric), f"{metric} gets better as the scale grows", tuple(lines)


def _steps(numbers: list[Number], metric: str) -> Iterator[str]:
    """One line per step between scales of a dataset at which some rows get better, with the largest of these gains."""
    rows = grouped(numbers, lambda n: n.row)
    steps: dict[tuple[str, str], list[tuple[float, Number, Number]]] = {}
    for row in rows.values():
        for small, large in pairwise(sorted(row, key=lambda n: n.scale or 0.0)):
            gain = _gain(small, large)
            if gain > TOLERANCES[metric]:
                steps.setdefault((small.at, large.at), []).append((gain, small, large))
    for (at, then), found in steps.items():
        _, small, large = max(found, key=lambda step: step[0])
        example = f"{small.label} {small.shown} to {large.shown}"
        yield f"{small.dataset}, {at} to {then}, {len(found)} of {len(rows)} rows: {example}"


def _gain(small: Number, large: Number) -> float:
    higher = large.value - small.value
    return -higher if small.direction is Direction.LOWER else higher
