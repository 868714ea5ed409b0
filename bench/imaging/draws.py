"""A random stream that stays the same for ever: numpy's frozen distributions over PCG64.

Source: NEP 19, which freezes `RandomState`'s methods and the bit generators, but not `Generator`'s methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Draws:
    """Numbers drawn from one seed, in the order of the calls."""

    def __init__(self, seed: int) -> None:
        """Args: seed: 0 <= seed < 2**63."""
        if not 0 <= seed < 2**63:
            raise ValueError(f"expected a seed in [0, 2**63), got {seed}")
        self._state = np.random.RandomState(np.random.PCG64(seed))

    def uniform(self, low: float, high: float) -> float:
        """U(low, high)."""
        return low + (high - low) * float(self._state.random_sample())

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return float(self._state.random_sample()) < probability

    def choice(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the options, equally likely or by weight."""
        shares = np.cumsum(np.ones(len(options)) if weights is None else np.asarray(weights, dtype=np.float64))
        place = int(np.searchsorted(shares, self._state.random_sample() * shares[-1], side="right"))
        return options[min(place, len(options) - 1)]

    def seed(self) -> int:
        """A seed for another stream."""
        high, low = (int(part) for part in self._state.randint(0, 2**31, size=2))
        return high << 31 | low

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Standard normal values."""
        return self._state.standard_normal(shape)

    def poisson(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Poisson counts of these means."""
        return self._state.poisson(mean).astype(np.float64)
