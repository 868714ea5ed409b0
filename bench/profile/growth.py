"""How cost grows with the size of the result: a power of the number of pixels, fitted where both are logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.profile.measured import Measured, MethodProfile, Profile
from bench.report.model import printed

LEVEL = 0.05
"""One minus the coverage of a slope's interval."""


@dataclass(frozen=True)
class Point:
    """One size.

    Attributes:
        pixels: Of the result.
        value: Seconds, or bytes above the loaded state.
        low, high: Quartiles; equal to the value where there are none.
    """

    pixels: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """value = exp(intercept) * pixels ** slope.

    Attributes:
        slope: 1: as many times as there are pixels; 2: as attention over all pixels does.
        low, high: Its interval; None with two points, which every line fits.
        intercept: Natural logarithm of the value of one pixel.
    """

    slope: float
    low: float | None
    high: float | None
    intercept: float

    def at(self, pixels: float) -> float:
        """The fitted value."""
        return math.exp(self.intercept + self.slope * math.log(pixels))

    @property
    def words(self) -> str:
        """The slope with its interval."""
        if self.low is None or self.high is None:
            return printed(self.slope, 2)
        return f"{printed(self.slope, 2)} [{printed(self.low, 2)}, {printed(self.high, 2)}]"


@dataclass(frozen=True)
class Growth:
    """One method in one quantity; `fit` is None below two sizes with a value above 0."""

    row: MethodProfile
    points: tuple[Point, ...]
    fit: Fit | None


def growth_of(profile: Profile, quantity: str) -> list[Growth]:
    """Every method that was measured, in one of QUANTITIES."""
    found = []
    for row in profile.methods:
        points = tuple(
            point for task in row.measured if (point := QUANTITIES[quantity](row, task)) is not None and point.value > 0
        )
        if row.measured:
            found.append(Growth(row, points, power_fit([p.pixels for p in points], [p.value for p in points])))
    return found


def power_fit(pixels: Sequence[float], values: Sequence[float], *, level: float = LEVEL) -> Fit | None:
    """Least squares on logarithms, with Student's interval of the slope.

    Args:
        pixels, values: All above 0.
        level: One minus the coverage.
    Returns:
        The fit; None for fewer than two different sizes.
    Source: Draper and Smith, Applied Regression Analysis, section 1.4: b +- t(n - 2) s / sqrt(Sxx).
    """
    if len(set(pixels)) < 2:
        return None
    x, y = np.log(np.asarray(pixels, dtype=float)), np.log(np.asarray(values, dtype=float))
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    intercept = float(y.mean() - slope * x.mean())
    left = len(x) - 2
    if left < 1:
        return Fit(slope, None, None, intercept)
    from scipy.stats import t

    deviation = math.sqrt(float(((y - intercept - slope * x) ** 2).sum()) / left / spread)
    half = float(t.ppf(1 - level / 2, left)) * deviation
    return Fit(slope, slope - half, slope + half, intercept)


def _time(_: MethodProfile, task: Measured) -> Point:
    spread = task.spread
    return Point(task.size[0] * task.size[1], spread.median, spread.low, spread.high)


def _memory(row: MethodProfile, task: Measured) -> Point | None:
    if row.loading is None:
        return None
    grown = float(task.peak - row.loading.memory)
    return Point(task.size[0] * task.size[1], grown, grown, grown)


QUANTITIES: Mapping[str, Callable[[MethodProfile, Measured], Point | None]] = {"time": _time, "memory": _memory}
"""What is looked at -> its value at one size: seconds per image, bytes above the loaded state."""
