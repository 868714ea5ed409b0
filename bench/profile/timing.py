"""Repeated times and what is said of them: the median, and the quartiles as the measure of how far it can be trusted.

A mean would carry every interruption by another process; a minimum hides how much times vary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.api import RequestError

if TYPE_CHECKING:
    import torch

Clock = Callable[[Callable[[], object]], float]
"""Carries something out and says how many seconds that took."""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated times, in seconds.

    >>> Spread.of((0.3, 0.1, 0.2, 9.0))
    Spread(median=0.25, low=0.175, high=2.475)
    """

    median: float
    low: float
    high: float

    @staticmethod
    def of(seconds: Sequence[float]) -> Spread:
        """The spread of some times; quartiles are interpolated linearly.

        Raises:
            RequestError: no time at all.
        """
        if not seconds:
            raise RequestError("no time was measured; repeat at least once with --repeats 1")
        low, median, high = (float(value) for value in np.quantile(seconds, (0.25, 0.5, 0.75)))
        return Spread(median, low, high)

    @property
    def iqr(self) -> float:
        """The interquartile range."""
        return self.high - self.low

    def agrees(self, other: Spread) -> bool:
        """Whether two repetitions are within their interquartile ranges of each other: the medians differ by no more
        than the wider of the two."""
        return abs(self.median - other.median) <= max(self.iqr, other.iqr)


def timed(run: Callable[[], object], *, repeats: int, warmup: int, clock: Clock) -> tuple[float, ...]:
    """Seconds of every repetition, in order.

    Args:
        run: What is measured.
        repeats: Times that count.
        warmup: Times before them that do not.
        clock: Measures one time.
    """
    for _ in range(warmup):
        run()
    return tuple(clock(run) for _ in range(repeats))


def wall_clock(run: Callable[[], object]) -> float:
    """Seconds on the wall: what a user waits for, threads included."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def cuda_clock(device: torch.device) -> Clock:
    """Seconds between two events on a GPU's stream, so that work that is only queued counts where it is done."""
    import torch

    def clock(run: Callable[[], object]) -> float:
        torch.cuda.synchronize(device)
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        run()
        after.record()
        torch.cuda.synchronize(device)
        return before.elapsed_time(after) / 1000

    return clock
