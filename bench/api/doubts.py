"""What makes a number doubtful: LR of almost nothing, images too small for a metric, a border that is the image."""

from __future__ import annotations

from collections.abc import Iterable

from bench.api.metric import MetricInfo
from bench.api.scale import Scale, format_scale
from bench.api.sizes import Border, Size, border_size

SMALLEST_LR_SIDE = 16
"""Pixels; with less the methods invent nearly everything."""
LARGEST_SHAVE = 0.1
"""Of a side, both borders together."""


def validity_warnings(
    *, lr: Size | None, hr: Size, scale: Scale, shave: Border, metrics: Iterable[MetricInfo]
) -> list[str]:
    """What makes numbers of this unit doubtful, with the scale in front.

    Args:
        lr: LR (height, width), if there is one.
        hr: SR (height, width).
        scale: Nominal scale.
        shave: Border that is ignored.
        metrics: The metrics asked for.
    Returns:
        Sentences; empty where nothing is doubtful.
    """
    doubts = [*unit_doubts(lr=lr, hr=hr, shave=shave), *size_doubts(hr, metrics)]
    return [f"x{format_scale(scale)}: {doubt}" for doubt in doubts]


def unit_doubts(*, lr: Size | None, hr: Size, shave: Border) -> list[str]:
    """What makes any number of this unit doubtful; arguments as for `validity_warnings`.

    >>> unit_doubts(lr=(12, 40), hr=(96, 320), shave=0)
    ['an LR side is below 16 px, the methods see almost nothing']
    """
    doubts = []
    if lr is not None and min(lr) < SMALLEST_LR_SIDE:
        doubts.append(f"an LR side is below {SMALLEST_LR_SIDE} px, the methods see almost nothing")
    if any(2 * pixels > LARGEST_SHAVE * side for pixels, side in zip(border_size(shave), hr, strict=True)):
        doubts.append(f"the shave removes more than {100 * LARGEST_SHAVE:.0f} % of an image side")
    return doubts


def size_doubts(hr: Size, metrics: Iterable[MetricInfo]) -> list[str]:
    """What makes the numbers of single metrics doubtful on an SR image of this size, once per smallest side."""
    small: dict[int, list[str]] = {}
    for info in metrics:
        if info.smallest_side is not None and min(hr) < info.smallest_side:
            small.setdefault(info.smallest_side, []).append(info.display)
    return [
        f"a side is below {side} px, too small for {' and '.join(displays)} to mean anything"
        for side, displays in small.items()
    ]
