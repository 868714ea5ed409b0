"""Statistics of repeated times, with a clock that tells what it is told to."""

from __future__ import annotations

import statistics

import pytest

from bench.api import RequestError
from bench.profile.timing import Spread, timed


class FakeClock:
    """Tells the next of a list of times, and carries the work out."""

    def __init__(self, *seconds: float) -> None:
        self.left = list(seconds)

    def __call__(self, run) -> float:
        run()
        return self.left.pop(0)


def test_the_spread_is_median_and_quartiles_of_the_standard_library():
    """Catches a mean, a standard deviation, and quartiles of another definition."""
    seconds = [0.9, 0.1, 0.4, 0.2, 7.0, 0.3]
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    assert Spread.of(seconds) == Spread(*(pytest.approx(each) for each in (median, low, high)))


def test_warm_up_is_carried_out_and_not_counted():
    """Catches a first, slow call among the repetitions, and a warm-up that is left out."""
    calls = []
    seconds = timed(lambda: calls.append(1), repeats=3, warmup=2, clock=FakeClock(1.0, 2.0, 3.0))
    assert seconds == (1.0, 2.0, 3.0)
    assert len(calls) == 5


def test_two_repetitions_of_one_method_agree_and_another_method_does_not():
    """Catches an agreement that compares means (an interruption of 9 s would spoil it), or that always says yes."""
    first = Spread.of(timed(lambda: None, repeats=5, warmup=0, clock=FakeClock(1.00, 1.04, 0.98, 9.0, 1.01)))
    again = Spread.of(timed(lambda: None, repeats=5, warmup=0, clock=FakeClock(1.02, 0.99, 1.03, 1.00, 1.05)))
    slower = Spread.of(timed(lambda: None, repeats=5, warmup=0, clock=FakeClock(1.20, 1.22, 1.19, 1.21, 1.23)))
    assert first.agrees(again)
    assert again.agrees(first)
    assert not first.agrees(slower)
    assert not slower.agrees(again)


def test_no_time_at_all_has_no_median():
    """Catches NaN in a table."""
    with pytest.raises(RequestError, match="--repeats"):
        Spread.of([])
