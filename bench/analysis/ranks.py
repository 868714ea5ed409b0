"""Mean ranks of several methods over several blocks, after Demsar (JMLR 7, 2006): Friedman's test and the critical
difference of Nemenyi's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.significance import LEVEL
from bench.api import Direction, RequestError


@dataclass(frozen=True)
class Ranks:
    """Methods ranked within every block.

    Attributes:
        names: Of the methods, best mean rank first.
        means: Mean rank of each; 1 is the best.
        blocks: Number of blocks (datasets or images).
        critical: Two mean ranks that differ by less are not told apart.
        p: Of Friedman's test that all methods are alike.
        groups: (first, last) index of each largest run of methods that are not told apart, at least two in each.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    blocks: int
    critical: float
    p: float
    groups: tuple[tuple[int, int], ...]


def rank_methods(names: Sequence[str], values: ArrayLike, direction: Direction) -> Ranks:
    """Rank methods within each block and average the ranks.

    Args:
        names: At least three methods.
        values: (blocks, methods); at least two blocks.
        direction: Which way is better; equal values share their mean rank.
    Raises:
        RequestError: too few methods or blocks.
    """
    table = np.asarray(values, dtype=float)
    if len(names) < 3:
        raise RequestError(f"ranks compare at least three methods, here are {len(names)}; two: bench compare")
    if len(table) < 2:
        raise RequestError("ranks need at least two blocks: name more datasets, or give --over images")
    ranks = block_ranks(table, direction)
    means = ranks.mean(axis=0)
    order = np.argsort(means, kind="stable")
    critical = critical_difference(len(names), len(table))
    ordered = means[order]
    return Ranks(
        names=tuple(names[int(i)] for i in order),
        means=tuple(ordered.tolist()),
        blocks=len(table),
        critical=critical,
        p=friedman_p(table),
        groups=_groups(ordered, critical),
    )


def block_ranks(values: NDArray[np.float64], direction: Direction) -> NDArray[np.float64]:
    """Rank of every method within its block, 1 for the best; (blocks, methods)."""
    from scipy.stats import rankdata

    return rankdata(-values if direction is Direction.HIGHER else values, axis=1)


def friedman_p(values: NDArray[np.float64]) -> float:
    """p of Friedman's test, through scipy; 1 where all methods are equal in every block."""
    from scipy.stats import friedmanchisquare

    if (values == values[:, :1]).all():
        return 1.0
    return float(friedmanchisquare(*values.T).pvalue)


def critical_difference(methods: int, blocks: int, *, level: float = LEVEL) -> float:
    """Difference of mean ranks above which Nemenyi's test tells two methods apart.

    >>> round(critical_difference(4, 14), 2)
    1.25

    Source: Demsar 2006, eq. 5 and table 5: q sqrt(k (k + 1) / (6 N)), q the studentised range over infinitely many
    degrees of freedom divided by sqrt(2).
    """
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - level, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * blocks))


def _groups(means: NDArray[np.float64], critical: float) -> tuple[tuple[int, int], ...]:
    """Runs of sorted means of which first and last differ by less than the critical difference; none within another."""
    found: list[tuple[int, int]] = []
    for first in range(len(means)):
        last = int(np.flatnonzero(means - means[first] < critical)[-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(found)
