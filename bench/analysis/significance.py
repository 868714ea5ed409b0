"""Paired comparisons image by image: interval, permutation test, Holm's correction, and the verdict that follows.

Pure functions on arrays of differences. Scores of two methods on one image have most of their spread in common (an
image is easy or hard for both), so only the differences within images tell anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.api import Direction

LEVEL = 0.05
"""Error of the first kind over all cells of a comparison."""
RESAMPLES = 9_999
"""Draws of the bootstrap and of the permutation test; up to 13 images the permutations are counted out instead."""
TIE = 1e-9
"""Values of one image that differ by less are equal: the images are, and only the order of summation was not."""
TEST_NAME = "paired permutation test over images (flipped signs, two-sided)"


class Verdict(StrEnum):
    """What a comparison of A with B says of A."""

    BETTER = "better"
    WORSE = "worse"
    INDETERMINATE = "indeterminate"
    TOO_FEW = "too few images"
    UNRANKED = "not ranked"
    """Nobody knows which way the metric is better."""


@dataclass(frozen=True)
class Difference:
    """The difference A - B of one metric over the images of one cell.

    Attributes:
        n: Images with two finite values.
        mean: Mean difference in the metric's units.
        low, high: Bootstrap interval of the mean at 1 - LEVEL.
        p: Of the test that the differences are symmetric about 0; None for too few images.
        wins, losses, ties: Images on which A is better, worse, equal; infinite values included.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float | None
    wins: int
    losses: int
    ties: int


def fewest_images(level: float = LEVEL) -> int:
    """The number of images below which no two-sided permutation test can reach a level: the smallest p is 2 / 2^n.

    >>> fewest_images(0.05)
    6
    """
    return math.ceil(1 - math.log2(level))


def smallest_p(images: int) -> float:
    """The smallest p that the permutation test can give: 2 of all exchanges counted out, or 2 of all draws and the
    observed one.

    >>> smallest_p(6), smallest_p(100)
    (0.03125, 0.0002)
    """
    return 2 / min(2.0**images, RESAMPLES + 1)


def bootstrap_interval(
    differences: ArrayLike, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bootstrap interval (bias-corrected and accelerated) of the mean difference.

    Args:
        differences: (..., n); one interval per leading index.
        level: One minus the coverage.
        resamples: Draws.
        seed: Of the draws; equal differences have equal intervals.
    Returns:
        Lower and upper ends, each of the leading shape; both are the mean where all differences are equal.
    Source: Efron 1987, through scipy.stats.bootstrap.
    """
    from scipy.stats import bootstrap

    values = np.asarray(differences, dtype=float)
    spread = np.ptp(values, axis=-1) > TIE
    low = np.array(values.mean(axis=-1))
    high = low.copy()
    if spread.any():
        found = bootstrap(
            (values[spread] if values.ndim > 1 else values,),
            np.mean,
            axis=-1,
            n_resamples=resamples,
            confidence_level=1 - level,
            method="BCa",
            rng=np.random.default_rng(seed),
            batch=_batch(values),
        ).confidence_interval
        low[spread], high[spread] = found.low, found.high
    return low, high


def student_half_width(sd: float, n: int, *, level: float = LEVEL) -> float:
    """Half the width of Student's interval of a mean.

    Args:
        sd: Sample standard deviation of the values.
        n: Number of values, at least 2.
        level: One minus the coverage.
    Source: Student 1908, the quantile through scipy.stats.t.
    """
    from scipy.stats import t

    return float(t.ppf(1 - level / 2, n - 1)) * sd / math.sqrt(n)


def permutation_p(differences: ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Two-sided p of the mean difference under random exchange of A and B within each image.

    Args:
        differences: (..., n); one p per leading index.
        resamples: Draws; all 2^n exchanges are counted out where they are no more.
        seed: Of the draws.
    Returns:
        Of the leading shape; 1 where all differences are 0.
    Source: Fisher 1935, through scipy.stats.permutation_test.
    """
    from scipy.stats import permutation_test

    values = np.asarray(differences, dtype=float)
    tested = permutation_test(
        (values,),
        _mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        axis=-1,
        rng=np.random.default_rng(seed),
        batch=_batch(values),
    )
    return np.minimum(np.asarray(tested.pvalue, dtype=float), 1.0)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p values that hold the error over all of them together.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]

    Source: Holm 1979: the smallest is multiplied by m, the next by m - 1, ..., and none falls below one before it.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def compare_values(first: ArrayLike, second: ArrayLike, direction: Direction | None) -> Difference:
    """Compare the values of two methods on the same images.

    An image of which one value is infinite (PSNR of an exact result) is won or lost, but in no mean and no test.

    Args:
        first, second: One value per image, in the same order.
        direction: Which way the metric is better; None counts the larger value as the win.
    """
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    gains = np.subtract(a, b, out=np.zeros_like(a), where=a != b)
    gains[np.abs(gains) <= TIE] = 0.0
    finite = gains[np.isfinite(a) & np.isfinite(b)]
    better = -gains if direction is Direction.LOWER else gains
    wins, losses = int((better > 0).sum()), int((better < 0).sum())
    if not finite.size:
        return Difference(0, math.nan, math.nan, math.nan, None, wins, losses, len(gains) - wins - losses)
    low, high = bootstrap_interval(finite) if finite.size > 1 else (np.array(math.nan), np.array(math.nan))
    p = float(permutation_p(finite)) if finite.size >= fewest_images() else None
    return Difference(
        n=int(finite.size),
        mean=float(finite.mean()),
        low=float(low),
        high=float(high),
        p=p,
        wins=wins,
        losses=losses,
        ties=len(gains) - wins - losses,
    )


def judge(
    found: Difference, adjusted: float | None, direction: Direction | None, effect: float, *, level: float = LEVEL
) -> Verdict:
    """The verdict on A: better or worse only where the difference is both certain and worth having.

    Args:
        found: A - B.
        adjusted: Its p after Holm's correction; None for too few images.
        direction: Which way the metric is better.
        effect: Smallest mean difference worth having, in the metric's units.
        level: Largest adjusted p that counts as certain.
    """
    if direction is None:
        return Verdict.UNRANKED
    if adjusted is None:
        return Verdict.TOO_FEW
    if adjusted > level or abs(found.mean) < effect or found.mean == 0:
        return Verdict.INDETERMINATE
    return Verdict.BETTER if (found.mean > 0) == (direction is Direction.HIGHER) else Verdict.WORSE


def adjusted_ps(found: Sequence[Difference]) -> list[float | None]:
    """Holm's correction over the cells that were tested; None for the others."""
    tested = {index: each.p for index, each in enumerate(found) if each.p is not None}
    by_index = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
    return [by_index.get(index) for index in range(len(found))]


def _mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return values.mean(axis=axis)


def _batch(values: NDArray[np.float64]) -> int:
    """Resamples at once: about 30 MB."""
    return max(1, 4_000_000 // max(values.size, 1))
