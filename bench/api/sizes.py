"""Sizes that follow from a scale: the LIIF floor-crop rule for fractional scales, and MATLAB's rounding up.

Sizes are (height, width) everywhere, and so are the factors of a scale. Source of the rule: LIIF's downsampled wrapper
(h_lr = floor(H / s + 1e-9), the HR image cropped to round(h_lr * s)), so the ratio that a method sees is the effective
one, per axis.
"""

from __future__ import annotations

import math
from typing import Literal

from bench.api.scale import Scale, factors

Size = tuple[int, int]
LrRule = Literal["floor-crop", "round", "ceil"]
"""How the LR size follows from HR, see `lr_size`."""
Border = int | Size
"""Pixels to ignore on every side, or (above and below, left and right)."""


def lr_size(hr: Size, scale: Scale, rule: LrRule = "floor-crop") -> Size:
    """The LR size of a rule; 0 for a scale that is too large.

    Args:
        hr: HR (height, width).
        scale: Nominal scale.
        rule: "floor-crop": floor(side / scale + 1e-9) per axis; "ceil": ceil(side / scale - 1e-9), as MATLAB's
            `imresize` with a factor; "round": the nearest, halves up.
    """
    down, across = factors(scale)
    if rule == "ceil":
        return math.ceil(hr[0] / down - 1e-9), math.ceil(hr[1] / across - 1e-9)
    offset = 0.5 if rule == "round" else 0.0
    return math.floor(hr[0] / down + offset + 1e-9), math.floor(hr[1] / across + offset + 1e-9)


def sr_size(lr: Size, scale: Scale) -> Size:
    """The exact size of the result for an LR image: round(side * scale) per axis (Python's rounding, as LIIF's)."""
    down, across = factors(scale)
    return round(lr[0] * down), round(lr[1] * across)


def border_size(border: Border) -> Size:
    """The pixels of a border (above and below, left and right)."""
    return (border, border) if isinstance(border, int) else border


def wider(a: Border, b: Border) -> Border:
    """The border that covers both."""
    height, width = (max(sides) for sides in zip(border_size(a), border_size(b), strict=True))
    return height if height == width else (height, width)


def effective_ratio(lr: Size, hr: Size) -> tuple[float, float]:
    """The scale per axis that the sizes imply: hr / lr."""
    return hr[0] / lr[0], hr[1] / lr[1]
