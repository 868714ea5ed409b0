"""The plan of cycles and their sizes: groups 1 and 2 of CASR's list."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from bench.api import RequestError, sr_size
from methods.blocks.plan import factors, sizes

POLICIES = ("paper", "uniform", "remainder_last", "remainder_first")


def least(s: float) -> int:
    """The fewest factors of 4 that reach s, counted."""
    count = 1
    while 4.0**count < s:
        count += 1
    return count


# --- group 1: factors ---


@pytest.mark.parametrize("policy", POLICIES)
def test_factors_multiply_to_the_scale_with_as_few_as_possible(policy: str) -> None:
    """Catches greedy rounding that loses the product, a cycle too many, a factor above 4."""
    rng = np.random.default_rng(0)
    for s in 1 + rng.uniform(0, 199, 1000) + 1e-3:
        plan = factors(s, policy=policy)
        assert math.prod(plan) == pytest.approx(s, rel=1e-12), s
        assert all(1 < factor <= 4 * (1 + 1e-12) for factor in plan), (s, plan)
        assert len(plan) == least(s), (s, plan)


def test_papers_factors_descend_and_none_is_below_the_least() -> None:
    """Catches plain greed, which ends x18 with 1.125, and an order that mixes large and small."""
    rng = np.random.default_rng(1)
    for s in rng.uniform(4.0001, 200, 1000):
        plan = factors(s)
        assert all(a >= b - 1e-12 for a, b in pairwise(plan)), (s, plan)
        assert min(plan) >= 1.5 - 1e-12, (s, plan)


@pytest.mark.parametrize(
    ("s", "plan"),
    [
        (18, [4, 3, 1.5]),
        (8, [4, 2]),
        (12, [4, 3]),
        (24, [4, 4, 1.5]),
        (30, [4, 4, 1.875]),
        (5, [10 / 3, 1.5]),
        (17.3, [4, 17.3 / 6, 1.5]),
        (4, [4]),
        (16, [4, 4]),
        (64, [4, 4, 4]),
        (1, []),
    ],
)
def test_the_plans_that_the_paper_and_the_specification_name(s: float, plan: list[float]) -> None:
    """Catches a rule that gives another number of cycles at powers of 4, or other factors at x18."""
    assert factors(s) == pytest.approx(plan, rel=1e-12)


def test_other_policies_are_what_their_names_say() -> None:
    """Catches remainder first and last exchanged, and a single cycle that is split after all."""
    assert factors(18, policy="remainder_last") == pytest.approx([4, 4, 1.125])
    assert factors(18, policy="remainder_first") == pytest.approx([1.125, 4, 4])
    assert factors(18, policy="uniform") == pytest.approx([18 ** (1 / 3)] * 3)
    assert factors(18, policy="single") == [18]
    assert factors(18, s_min=1.2) == pytest.approx([4, 3.75, 1.2])
    assert factors(6, s_max=2, s_min=1.2) == pytest.approx([2, 2, 1.5])


@pytest.mark.parametrize("fixed", [[2, 2, 2, 1.5, 1.5], [2, 2, 3, 1.5], [1.5, 3, 4], [4, 3, 1.5]])
def test_fixed_factors_are_kept_in_their_order(fixed: list[float]) -> None:
    """Catches sorting of the rows of Table 6."""
    assert factors(18, fixed=fixed) == fixed
    rounded = [(math.floor(11 * math.prod(fixed[:k]) + 0.5),) * 2 for k in range(1, len(fixed))]
    assert sizes((11, 11), (198, 198), fixed=fixed) == [*rounded, (198, 198)]


def test_factors_that_cannot_be_are_refused() -> None:
    """Catches silent use of a plan for another scale, of a factor outside the training, of bounds that contradict."""
    for fixed in ([4, 3], [4, 4.5], [18], [1, 18], []):
        with pytest.raises(RequestError, match="fixed factors"):
            factors(18, fixed=fixed)
    with pytest.raises(RequestError, match="do not lead from"):
        sizes((10, 10), (80, 80), fixed=[4, 3, 1.5])
    with pytest.raises(ValueError, match="s_min"):
        factors(4.1, s_min=2.5)
    for s in (0.9, math.nan, math.inf):
        with pytest.raises(ValueError, match="scale"):
            factors(s)


# --- group 2: sizes ---


@pytest.mark.parametrize("policy", POLICIES)
def test_cycles_end_at_the_size_and_stay_within_the_trained_ratio(policy: str) -> None:
    """Catches a last cycle that misses by rounding, shrinking cycles, idle ones, and one above x4."""
    rng = np.random.default_rng(2)
    for number in range(3000):
        size = tuple(map(int, rng.integers(1 if number % 10 == 0 else 7, 201, 2)))
        if number % 10 == 5:
            size = (size[0], 1)
        s = rng.uniform(1.01, 33)
        target = sr_size(size, s)
        found = sizes(size, target, policy=policy)
        case = (size, s, found)
        assert (found[-1] if found else size) == target, case
        before = size
        for each in found:
            assert each != before, case
            for length, out in zip(before, each, strict=True):
                assert length <= out, case
                assert out / length <= 4 * (1 + 1 / length) + 1e-12, case
            before = each


def test_sizes_before_the_last_are_rounded_products() -> None:
    """Catches rounding of rounded sizes, which drifts, and padded sizes that are carried on."""
    rng = np.random.default_rng(3)
    for _ in range(500):
        size = tuple(map(int, rng.integers(7, 201, 2)))
        s = int(rng.integers(5, 33))
        grown = np.cumprod(factors(s))[:-1]
        expected = [tuple(math.floor(length * c + 0.5 + 1e-9) for length in size) for c in grown]
        assert sizes(size, (size[0] * s, size[1] * s)) == [*expected, (size[0] * s, size[1] * s)]


def test_halves_are_rounded_up() -> None:
    """Catches Python's rounding to even: 7 * 1.5 = 10.5."""
    assert sizes((7, 9), (126, 162), fixed=[1.5, 3, 4]) == [(11, 14), (32, 41), (126, 162)]


def test_an_axis_that_grows_less_grows_in_every_cycle() -> None:
    """Catches a plan of the height that is forced upon the width: 100 x 100 to 1600 x 400 is x4 and x2 twice."""
    assert sizes((100, 100), (1600, 400)) == [(400, 200), (1600, 400)]


def test_a_size_that_is_there_needs_no_cycle() -> None:
    """Catches an idle cycle at scale 1, and division by log 1."""
    for policy in (*POLICIES, "single"):
        assert sizes((13, 1), (13, 1), policy=policy) == []
    assert sizes((13, 1), (13, 1), fixed=[4, 3, 1.5]) == []
    with pytest.raises(ValueError, match="at least 13 x 8"):
        sizes((13, 8), (26, 7))
    with pytest.raises(ValueError, match="at least"):
        sizes((0, 8), (1, 8))
