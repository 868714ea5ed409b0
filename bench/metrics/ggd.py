"""Shape parameters of generalised Gaussians by table, as NIQE and Ma et al. estimate them, with a binary search.

The tables are those of the reference code: shapes on a grid of 0.001, rounded to float32 as pyiqa's are; the entry
nearest to the observed moment ratio wins, the first one on a tie. Where pyiqa scans the table for every block, the
monotone table is searched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class ShapeTable:
    """Shapes and their moment ratios.

    Attributes:
        shapes: (n,) shape parameters, rising.
        ratios: (n,) moment ratio of each, rising or falling.
    """

    shapes: Float64
    ratios: Float64

    def nearest(self, ratio: Float64) -> Float64:
        """The shape whose ratio is nearest; NaN gives the first shape, as an argmin over NaN distances does."""
        rising = self.ratios[-1] > self.ratios[0]
        keys = self.ratios if rising else self.ratios[::-1]
        right = np.clip(np.searchsorted(keys, ratio), 1, len(keys) - 1)
        lower, upper = np.abs(ratio - keys[right - 1]), np.abs(ratio - keys[right])
        # The first shape of two that are equally near: the left key of a rising table, the right one of a falling one.
        left = lower <= upper if rising else lower < upper
        index = np.where(left, right - 1, right)
        index = index if rising else len(keys) - 1 - index
        return self.shapes[np.where(np.isnan(ratio), 0, index)]


def _grid(first: float, count: int) -> Float64:
    return (first + 0.001 * np.arange(count)).astype(np.float32).astype(np.float64)


def _aggd_table() -> ShapeTable:
    shapes = _grid(0.2, 9801)
    return ShapeTable(shapes, np.exp(2 * gammaln(2 / shapes) - (gammaln(1 / shapes) + gammaln(3 / shapes))))


def _ggd_table() -> ShapeTable:
    shapes = _grid(0.03, 9971)
    return ShapeTable(shapes, np.exp(gammaln(1 / shapes) + gammaln(3 / shapes) - 2 * gammaln(2 / shapes)))


AGGD = _aggd_table()
"""Mean of |x| squared over mean of x^2, shapes 0.2 to 10 (Lasmar et al. 2009)."""
GGD = _ggd_table()
"""Variance over mean of |x| squared, shapes 0.03 to 10 (Sharifi and Leon-Garcia 1995)."""


@dataclass(frozen=True)
class Aggd:
    """Asymmetric generalised Gaussians, one per block: shape and the two scales."""

    shape: Float64
    left: Float64
    right: Float64

    @property
    def mean(self) -> Float64:
        """Expected value (Mittal et al. 2013, Eq. 8)."""
        return (self.right - self.left) * np.exp(gammaln(2 / self.shape) - gammaln(1 / self.shape))


def fit_aggd(moments: Float64) -> Aggd:
    """Fit by moments.

    Args:
        moments: (n, 6), rows of `signed_moments`.
    Returns:
        Parameters of shape (n,); the scales are NaN for a sample without negative or without positive values.
    """
    negatives, positives, below, above, magnitude, count = moments.T
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = np.sqrt(below / negatives), np.sqrt(above / positives)
        skew = left / right
        ratio = (magnitude / count) ** 2 / ((below + above) / count)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
        shape = AGGD.nearest(ratio)
        unit = np.sqrt(np.exp(gammaln(1 / shape) - gammaln(3 / shape)))
        return Aggd(shape, left * unit, right * unit)


def signed_moments(values: Float64, part: Float64) -> tuple[float, ...]:
    """What `fit_aggd` needs to know of one sample.

    Args:
        values: (n,) contiguous.
        part: (n,) room to work in; overwritten.
    Returns:
        Number of negative and of positive values, sum of squares of either, sum of magnitudes, n.
    """
    negatives, positives = int(np.count_nonzero(values < 0)), int(np.count_nonzero(values > 0))
    np.minimum(values, 0, out=part)
    below, low = float(part @ part), float(np.add.reduce(part))
    np.maximum(values, 0, out=part)
    return negatives, positives, below, float(part @ part), float(np.add.reduce(part)) - low, values.size
