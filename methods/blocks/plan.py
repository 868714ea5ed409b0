"""Splitting a scale into cycles of at most x4, and the sizes that the cycles have.

Source: CASR, supplement section 7 (fewest cycles, factors descending, each at most 4) and Table 6. The least factor of
1.5 is [inferred]: the simplest rule that gives the paper's only stated plan, x18 = 4 x 3 x 1.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from bench.api import RequestError, Size

Policy = Literal["paper", "uniform", "remainder_last", "remainder_first", "single"]
"""paper: fewest, descending, the last at least s_min; uniform: K times the K-th root; remainder_*: 4, 4, ..., r and the
reverse (CasArbi's); single: one cycle whatever the scale (Table 6, row 1), which leaves the range trained for."""


def factors(
    s: float,
    *,
    s_max: float = 4.0,
    s_min: float = 1.5,
    policy: Policy = "paper",
    fixed: Sequence[float] | None = None,
) -> list[float]:
    """The scale of each cycle.

    Args:
        s: The whole scale, at least 1.
        s_max: Largest scale of a cycle: what the network was trained for.
        s_min: Least last factor of policy "paper"; at most the root of s_max, or it could not be kept.
        policy: How s is split.
        fixed: These factors in this order instead (Table 6, rows 2 to 5); their product must be s.
    Returns:
        Factors whose product is s to rounding; empty where s is 1.
    Raises:
        ValueError: s below 1, or bounds that do not fit each other.
        RequestError: fixed factors that are no plan for this scale.
    """
    if not s >= 1 - 1e-9 or math.isinf(s):
        raise ValueError(f"expected a scale of at least 1, got {s}")
    if fixed is not None:
        found = _checked(fixed, s_max)
        if not math.isclose(math.prod(found), s, rel_tol=1e-6):
            raise RequestError(f"fixed factors {_product(found)} = {math.prod(found):g} are no plan for x{s:g}")
        return found
    if not 1 <= s_min**2 <= s_max:
        raise ValueError(f"expected 1 <= s_min and s_min * s_min <= s_max, got {s_min} and {s_max}")
    if s <= 1 + 1e-9:
        return []
    if policy == "single":
        return [s]
    count = _least(s, s_max)
    if policy == "uniform":
        return [s ** (1 / count)] * count
    if policy in ("remainder_last", "remainder_first"):
        plan = [s_max] * (count - 1) + [s / s_max ** (count - 1)]
        return plan if policy == "remainder_last" else plan[::-1]
    plan, left = [], s
    for later in range(count - 1, 0, -1):
        plan.append(min(s_max, left / s_min**later))
        left /= plan[-1]
    return [*plan, left]


def sizes(
    lr_size: Size,
    target: Size,
    *,
    s_max: float = 4.0,
    s_min: float = 1.5,
    policy: Policy = "paper",
    fixed: Sequence[float] | None = None,
) -> list[Size]:
    """The sizes of the cycles' images.

    Args:
        lr_size: (h, w).
        target: (H, W), on no axis below `lr_size`.
        s_max, s_min, policy, fixed: As in `factors`; fixed factors must reach the target to less than a pixel.
    Returns:
        One (height, width) per cycle, rounded half up, never decreasing; the last is `target`. The axis that grows most
        decides the factors; an axis that grows less grows by the same share of its own growth in every cycle.
        A cycle that would change nothing is left out, so that there is none where target equals lr_size.
    Raises:
        ValueError: an empty size, or a target below it.
        RequestError: fixed factors that do not lead to the target.
    """
    ratios = [out / length for length, out in zip(lr_size, target, strict=True)] if min(lr_size) > 0 else [0.0]
    if min(ratios) < 1:
        raise ValueError(f"expected a target of at least {lr_size[0]} x {lr_size[1]}, got {target[0]} x {target[1]}")
    s = max(ratios)
    if target == lr_size:
        return []
    if fixed is not None:
        s = math.prod(_checked(fixed, s_max))
        if any(abs(length * s - out) >= 1 for length, out in zip(lr_size, target, strict=True)):
            raise RequestError(
                f"fixed factors {_product(fixed)} = {s:g} do not lead from {lr_size[0]} x {lr_size[1]} to "
                f"{target[0]} x {target[1]} (height x width), which is x{max(ratios):g}"
            )
    found: list[Size] = []
    before, grown = lr_size, 1.0
    plan = factors(s, s_max=s_max, s_min=s_min, policy=policy, fixed=fixed)
    for number, factor in enumerate(plan, start=1):
        grown *= factor
        size = target if number == len(plan) else _between(lr_size, target, ratios, s, grown)
        size = (max(size[0], before[0]), max(size[1], before[1]))
        if size != before:
            found.append(size)
            before = size
    return found


def _between(lr_size: Size, target: Size, ratios: Sequence[float], s: float, grown: float) -> Size:
    share = math.log(grown) / math.log(s)
    axes = []
    for length, out, ratio in zip(lr_size, target, ratios, strict=True):
        # the axis that decides takes the product itself, so that whole factors give whole pixels
        wanted = length * (grown if ratio == s else ratio**share)
        axes.append(min(math.floor(wanted + 0.5 + 1e-9), out))
    return axes[0], axes[1]


def _least(s: float, s_max: float) -> int:
    """The fewest factors of at most s_max; the margin keeps 4, 16 and 64 whole."""
    if s_max <= 1:
        raise ValueError(f"expected s_max above 1, got {s_max}")
    return max(1, math.ceil(math.log(s) / math.log(s_max) - 1e-9))


def _checked(fixed: Sequence[float], s_max: float) -> list[float]:
    if not fixed or any(not 1 < factor <= s_max for factor in fixed):
        raise RequestError(f"fixed factors are above 1 and at most {s_max:g}, got {_product(fixed) or 'none'}")
    return [float(factor) for factor in fixed]


def _product(fixed: Sequence[float]) -> str:
    return " x ".join(f"{factor:g}" for factor in fixed)
