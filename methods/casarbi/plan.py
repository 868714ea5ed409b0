"""Splitting an enlargement into stages of at most x2.

Source: CasArbi, section IV-A1 (Eq. 5, 6) and V-D4 (the three strategies). Stages are defined by sizes, never by
repeated rounding of scales, so that the last one is exactly the size asked for.
"""

from __future__ import annotations

import math
from typing import Literal

from bench.api import Size

Strategy = Literal["remainder-last", "remainder-first", "uniform"]
"""2, 2, ..., r (the paper's), r, 2, ..., 2, or N times the N-th root."""


def plan(size: Size, target: Size, strategy: Strategy = "remainder-last") -> list[Size]:
    """The sizes of the stages.

    Args:
        size: (h, w) of the LR image.
        target: (H, W), on no axis below `size`.
        strategy: Where the part that is no power of two goes.
    Returns:
        One (height, width) per stage, the last being `target`; empty where target equals size. The number of stages is
        the least with which no axis grows more than twofold in one (the paper knows one scale only: ceil(log2 s)).
        Stages that would change nothing are left out.
    Raises:
        ValueError: a target below the size, or an empty size.
    """
    if min(size) < 1 or any(out < length for length, out in zip(size, target, strict=True)):
        raise ValueError(f"expected a target of at least {size[0]} x {size[1]}, got {target[0]} x {target[1]}")
    count = max(_doublings(length, out) for length, out in zip(size, target, strict=True))
    axes = [_axis(length, out, count, strategy) for length, out in zip(size, target, strict=True)]
    stages: list[Size] = []
    for rows, columns in zip(*axes, strict=True):
        if (rows, columns) != (stages[-1] if stages else size):
            stages.append((rows, columns))
    return stages


def stage_scale(size: Size, target: Size) -> float:
    """The scale that the network is told of a stage: the geometric mean over both axes."""
    return math.sqrt(target[0] / size[0] * target[1] / size[1])


def _doublings(length: int, out: int) -> int:
    """The least n with length * 2^n >= out, and at least 1."""
    return max(1, (-(-out // length) - 1).bit_length())


def _axis(length: int, out: int, count: int, strategy: Strategy) -> list[int]:
    if strategy == "remainder-last":
        return [min(length << stage, out) for stage in range(1, count)] + [out]
    if strategy == "remainder-first":
        return [max(_rounded(out, 1 << (count - stage)), length) for stage in range(1, count)] + [out]
    return [_half_up(length * (out / length) ** (stage / count)) for stage in range(1, count)] + [out]


def _rounded(numerator: int, denominator: int) -> int:
    """The quotient rounded half up, in whole numbers."""
    return (2 * numerator + denominator) // (2 * denominator)


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)
