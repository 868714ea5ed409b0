"""How often each whole value occurs in an image: its luma, and its luma's differences between neighbouring pixels.

Natural images have few large differences and many small ones; a cascade that blurs, or that sharpens its own artefacts,
leaves that distribution long before it leaves the LR image.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.imaging.colour import Pixels, to_colour

_LEVELS = 256


@dataclass(frozen=True, eq=False)
class Distribution:
    """Counts of whole values.

    Attributes:
        first: The value of the first count; each next one belongs to the next value.
        counts: (n,) int64, at least one of them positive.
    """

    first: int
    counts: NDArray[np.int64]

    @property
    def values(self) -> NDArray[np.float64]:
        """The value of each count."""
        return np.arange(self.first, self.first + self.counts.size, dtype=np.float64)

    @property
    def density(self) -> NDArray[np.float64]:
        """Shares of the whole; they sum to 1."""
        return self.counts / self.counts.sum()

    @property
    def mean(self) -> float:
        """Mean."""
        return float(self.density @ self.values)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return math.sqrt(self._moment(2))

    @property
    def kurtosis(self) -> float:
        """Fourth standardised moment: 3 for a Gaussian, more for heavy tails; NaN where all values are equal."""
        square = self._moment(2)
        return self._moment(4) / square**2 if square > 0 else math.nan

    def distance(self, other: Distribution) -> float:
        """How far values must move, on average, to turn one distribution into the other (Wasserstein's first distance).

        Raises:
            ValueError: the two have other values.
        """
        if (self.first, self.counts.size) != (other.first, other.counts.size):
            raise ValueError("only distributions over the same values can be compared")
        return float(np.abs(np.cumsum(self.density) - np.cumsum(other.density)).sum())

    def _moment(self, order: int) -> float:
        return float(self.density @ (self.values - self.mean) ** order)


def pooled(parts: Iterable[Distribution]) -> Distribution:
    """All parts as one, each counting alike whatever its number of pixels: shares in units of 2^-40."""
    known = list(parts)
    share = sum(part.density for part in known) / len(known)
    return Distribution(known[0].first, np.rint(share * 2.0**40).astype(np.int64))


def luma_distribution(pixels: Pixels) -> Distribution:
    """Full-range luma in whole levels, 0..255.

    Args:
        pixels: (H, W, 3) RGB or (H, W) luma; uint8 or uint16.
    """
    return Distribution(0, np.bincount(_luma(pixels).ravel(), minlength=_LEVELS))


def gradient_distribution(pixels: Pixels) -> Distribution:
    """Luma's differences between neighbours, along rows and columns together, -255..255; of a single pixel: 0.

    Args:
        pixels: As in `luma_distribution`.
    """
    luma = _luma(pixels)
    counts = np.zeros(2 * _LEVELS - 1, np.int64)
    for axis in (0, 1):
        counts += np.bincount((np.diff(luma, axis=axis) + _LEVELS - 1).ravel(), minlength=counts.size)
    if not counts.any():
        counts[_LEVELS - 1] = 1
    return Distribution(1 - _LEVELS, counts)


def _luma(pixels: Pixels) -> NDArray[np.int64]:
    return to_colour(pixels, "yiq-u8").astype(np.int64)
