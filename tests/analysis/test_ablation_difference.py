"""The difference of two means, as both tables of ablations show it."""

from __future__ import annotations

import math

import pytest

from bench.analysis.ablation import mean_difference


@pytest.mark.parametrize(
    ("mean", "default", "expected"),
    [
        (28.5, 28.0, 0.5),
        (28.0, 28.0, 0.0),
        (None, 28.0, None),
        (28.0, None, None),
        (math.inf, math.inf, None),  # a plain subtraction would print nan, "equal" would print 0
        (math.inf, 28.0, math.inf),
        (28.0, math.inf, -math.inf),
    ],
)
def test_difference_says_nothing_where_a_side_is_missing_or_both_are_infinite(
    mean: float | None, default: float | None, expected: float | None
) -> None:
    assert mean_difference(mean, default) == expected
