"""Paired tests against what is known beforehand: enumeration, Student's interval, the error rates they promise."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy import stats

from bench.analysis.significance import (
    Difference,
    Verdict,
    adjusted_ps,
    bootstrap_interval,
    compare_values,
    fewest_images,
    holm,
    judge,
    permutation_p,
    smallest_p,
)
from bench.api import Direction

DRAWS = 1_000


def _two_equal_methods(seed: int, images: int, draws: int = DRAWS) -> np.ndarray:
    """Differences of two methods that are equally good, (draws, images): skewed and heavy-tailed, unlike per image."""
    rng = np.random.default_rng(seed)
    difficulty = rng.gamma(2.0, 0.3, images)
    return rng.standard_t(4, (draws, images)) * difficulty


@pytest.mark.parametrize("images", [10, 30])
def test_equal_methods_are_told_apart_no_more_often_than_promised(images: int) -> None:
    """Catches an unpaired test, a one-sided one that is called two-sided, and p = b / m, which is 0 too often."""
    p = permutation_p(_two_equal_methods(7, images), resamples=999)
    rejected = int((p <= 0.05).sum())
    low, high = stats.binom.ppf([0.0005, 0.9995], DRAWS, 0.05)
    assert low <= rejected <= high


def test_planted_difference_is_found() -> None:
    """Catches a test that ignores the pairing: between images the values differ by 4 dB, the gain is 0.1 dB."""
    rng = np.random.default_rng(3)
    base = rng.normal(27, 4, 100)
    found = compare_values(base + 0.1 + rng.normal(0, 0.15, 100), base, Direction.HIGHER)
    assert found.p is not None
    assert found.p < 0.001
    assert found.low < 0.1 < found.high
    assert found.low > 0
    assert found.wins > found.losses
    assert stats.ttest_ind(base + 0.1, base).pvalue > 0.5  # an unpaired test sees nothing


def test_few_images_are_counted_out() -> None:
    """Catches a Monte Carlo estimate where all exchanges can be enumerated, and a wrong tail."""
    differences = np.array([0.3, -0.1, 0.25, 0.4, 0.05, 0.2, -0.02])
    flipped = [abs(np.mean(differences * signs)) for signs in product((-1, 1), repeat=len(differences))]
    expected = np.mean(np.array(flipped) >= abs(differences.mean()) - 1e-12)
    assert permutation_p(differences) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("images", [6, 13, 14, 40])
def test_smallest_p_is_that_of_images_that_all_agree(images: int) -> None:
    """Catches 2 / 2^n where exchanges are drawn: of 9,999 draws no p is below 0.0002, however many images agree."""
    assert float(permutation_p(np.linspace(1, 2, images))) == pytest.approx(smallest_p(images), rel=1e-9)


def test_interval_is_students_where_that_is_right() -> None:
    """Catches an interval of single differences instead of their mean, and another confidence level."""
    differences = np.random.default_rng(0).normal(0.2, 0.5, 200)
    low, high = bootstrap_interval(differences)
    exact = stats.t.interval(0.95, 199, differences.mean(), stats.sem(differences))
    assert (float(low), float(high)) == pytest.approx(exact, abs=0.015)


def test_interval_is_the_librarys() -> None:
    """Catches differences that are reordered, centred or resampled per row alone."""
    differences = np.random.default_rng(1).gamma(2, 0.1, (3, 25))
    low, high = bootstrap_interval(differences, resamples=499, seed=5)
    known = stats.bootstrap(
        (differences,), np.mean, axis=-1, n_resamples=499, method="BCa", rng=np.random.default_rng(5)
    ).confidence_interval
    np.testing.assert_allclose((low, high), (known.low, known.high), rtol=1e-12)


def test_interval_covers_the_truth_as_often_as_promised() -> None:
    """Catches an interval that is too narrow; at 30 skewed images a bootstrap keeps within 4 points of its promise."""
    differences = np.random.default_rng(2).gamma(2.0, 1.0, (DRAWS, 30)) - 2.0
    low, high = bootstrap_interval(differences, resamples=499)
    assert 0.91 < np.mean((low <= 0) & (high >= 0)) < 0.98


def test_equal_images_give_no_spread_and_no_finding() -> None:
    """Catches NaN from a bootstrap without spread, and p = 0 for 0 against 0."""
    found = compare_values([30.0] * 8, [30.0] * 8, Direction.HIGHER)
    assert (found.mean, found.low, found.high, found.p, found.ties) == (0.0, 0.0, 0.0, 1.0, 8)


def test_holm_by_hand() -> None:
    """Catches Bonferroni (0.04, 0.16, ...), and a sequence that is not made monotone."""
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).size == 0


def test_holm_holds_the_error_over_all_cells() -> None:
    """Catches cells that are judged one by one: of 20 equal ones, one in two comparisons would claim a difference."""
    p = permutation_p(_two_equal_methods(11, 20, draws=20 * 300), resamples=999).reshape(300, 20)
    claimed = sum(bool((holm(row) <= 0.05).any()) for row in p)
    assert claimed <= stats.binom.ppf(0.9995, 300, 0.05)
    assert np.mean((p <= 0.05).any(axis=1)) > 0.4


def test_direction_decides_who_wins() -> None:
    """Catches wins that are counted by the larger value where lower is better."""
    found = compare_values([0.2] * 9 + [0.4], [0.3] * 10, Direction.LOWER)
    assert (found.wins, found.losses, found.ties) == (9, 1, 0)
    assert found.mean == pytest.approx(-0.08)


def test_infinite_psnr_is_a_win_and_in_no_mean() -> None:
    """Catches inf - inf = NaN in the mean, and an exact image that is not counted at all."""
    first, second = [math.inf, math.inf, *[30.0] * 7], [math.inf, 40.0, *[29.0] * 7]
    found = compare_values(first, second, Direction.HIGHER)
    assert (found.n, found.mean) == (7, 1.0)
    assert (found.wins, found.losses, found.ties) == (8, 0, 1)


def test_five_images_decide_nothing() -> None:
    """Catches a verdict on Set5, where even five wins of five have p = 1/16."""
    found = compare_values([31.0] * 5, [30.0] * 5, Direction.HIGHER)
    assert found.p is None
    assert judge(found, None, Direction.HIGHER, 0.05) is Verdict.TOO_FEW
    assert permutation_p(np.linspace(0.9, 1.1, fewest_images() - 1)) > 0.05
    assert permutation_p(np.linspace(0.9, 1.1, fewest_images())) <= 0.05


@pytest.mark.parametrize(
    ("mean", "adjusted", "direction", "verdict"),
    [
        (0.2, 0.01, Direction.HIGHER, Verdict.BETTER),
        (-0.2, 0.01, Direction.HIGHER, Verdict.WORSE),
        (-0.2, 0.01, Direction.LOWER, Verdict.BETTER),
        (0.04, 0.0001, Direction.HIGHER, Verdict.INDETERMINATE),
        (0.2, 0.06, Direction.HIGHER, Verdict.INDETERMINATE),
        (0.2, 0.01, None, Verdict.UNRANKED),
    ],
)
def test_verdict_needs_certainty_and_size(
    mean: float, adjusted: float, direction: Direction | None, verdict: Verdict
) -> None:
    """Catches a verdict by p alone or by size alone, and one that forgets that less LPIPS is better."""
    found = Difference(100, mean, mean - 0.01, mean + 0.01, adjusted, 60, 40, 0)
    assert judge(found, adjusted, direction, 0.05) is verdict


def test_cells_without_a_test_are_no_part_of_the_family() -> None:
    """Catches a correction that counts cells of too few images, or shifts the others' places."""
    cells = [Difference(5, 1, 0, 2, None, 5, 0, 0), *(Difference(9, 1, 0, 2, p, 9, 0, 0) for p in (0.04, 0.01))]
    assert adjusted_ps(cells) == [None, pytest.approx(0.04), pytest.approx(0.02)]
