"""Mean ranks and their critical difference against the numbers that Demsar's paper prints."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from bench.analysis.ranks import block_ranks, critical_difference, friedman_p, rank_methods
from bench.api import Direction, RequestError

C45 = (0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957)
C45_M = (0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978)
C45_CF = (0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946)
C45_M_CF = (0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970)
NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
AUC = np.array([C45, C45_M, C45_CF, C45_M_CF]).T
"""Demsar, JMLR 7 (2006), table 6: 14 data sets."""


def test_published_example() -> None:
    """Catches ranks from the wrong end, ties that are broken, and a critical difference without sqrt(2)."""
    ranks = rank_methods(NAMES, AUC, Direction.HIGHER)
    assert dict(zip(ranks.names, ranks.means, strict=True)) == pytest.approx(
        {"C4.5": 3.143, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}, abs=5e-4
    )
    assert ranks.names[0] == "C4.5+m+cf"
    assert ranks.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert ranks.groups == ((0, 3),)  # the paper: "not powerful enough" even for the best and the worst
    # the paper's 9.28 is not corrected for ties; with ties of t methods it is divided by 1 - sum(t^3 - t) / N (k^3 - k)
    counts = [np.unique(block, return_counts=True)[1] for block in AUC]
    correction = 1 - sum((t**3 - t).sum() for t in counts) / (14 * (4**3 - 4))
    assert ranks.p == pytest.approx(chi2.sf(9.28 / correction, 3), abs=2e-4)


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_values_are_the_published_ones(methods: int, q: float) -> None:
    """Catches another level, or Bonferroni-Dunn's values (2.498 for five)."""
    assert critical_difference(methods, 20) == pytest.approx(q * np.sqrt(methods * (methods + 1) / 120), abs=1e-3)


def test_lower_is_better_ranks_the_other_way() -> None:
    """Catches LPIPS ranked by the larger value."""
    assert block_ranks(np.array([[0.3, 0.1, 0.2]]), Direction.LOWER).tolist() == [[3.0, 1.0, 2.0]]
    assert block_ranks(np.array([[0.3, 0.1, 0.3]]), Direction.HIGHER).tolist() == [[1.5, 3.0, 1.5]]


def test_groups_are_the_longest_and_none_lies_in_another() -> None:
    """Catches a bar over methods that differ by more than the critical difference, and bars within bars."""
    # mean ranks 1.25, 1.75, 3, 4, 5 over 40 blocks: the critical difference is 0.96
    blocks = np.array([[1, 2, 3, 4, 5]] * 30 + [[2, 1, 3, 4, 5]] * 10)
    ranks = rank_methods(tuple("abcde"), blocks, Direction.LOWER)
    assert ranks.critical == pytest.approx(0.964, abs=1e-3)
    assert ranks.groups == ((0, 1),)
    few = rank_methods(tuple("abcde"), blocks[:8], Direction.LOWER)
    assert few.groups == ((0, 2), (1, 3), (2, 4))


def test_equal_methods_have_no_difference() -> None:
    """Catches a division by zero where all methods are equal everywhere."""
    assert friedman_p(np.ones((4, 3))) == 1.0


def test_too_little_to_rank_is_refused() -> None:
    """Catches a diagram of two methods or of one dataset."""
    with pytest.raises(RequestError, match="at least three methods"):
        rank_methods(("a", "b"), np.ones((5, 2)), Direction.HIGHER)
    with pytest.raises(RequestError, match="--over images"):
        rank_methods(("a", "b", "c"), np.ones((1, 3)), Direction.HIGHER)
