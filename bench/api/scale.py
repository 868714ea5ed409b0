"""Scales and sizes: parsing what the user typed, and the LIIF floor-crop rule for fractional scales.

Sizes are (height, width) everywhere. Source of the rule: LIIF's downsampled wrapper (h_lr = floor(H / s + 1e-9), the HR
image cropped to round(h_lr * s)), so the ratio that a method sees is the effective one, per axis.
"""

from __future__ import annotations

import math
from typing import Literal

from bench.api.errors import RequestError

Size = tuple[int, int]
LrRule = Literal["floor-crop", "round", "ceil"]
"""How the LR size follows from HR, see `lr_size`."""

_HOW = "scales are numbers of at least 1 separated by commas, such as --scales 2,3.6,8"


def parse_scale(text: str) -> float:
    """Read one scale.

    Args:
        text: What the user typed, such as "4" or "3.6".
    Returns:
        The scale, finite and at least 1.
    Raises:
        RequestError: not a number, NaN, infinite, or below 1.
    """
    try:
        scale = float(text)
    except ValueError:
        raise RequestError(f"'{text}' is not a scale; {_HOW}") from None
    if not math.isfinite(scale) or scale < 1:
        raise RequestError(f"scale {text.strip()} cannot be used; {_HOW}")
    return scale


def parse_scales(text: str) -> tuple[float, ...]:
    """Read a comma-separated list of scales, in the order given, repetitions dropped.

    Raises:
        RequestError: an empty list or a bad scale.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise RequestError(f"no scale given; {_HOW}")
    return tuple(dict.fromkeys(parse_scale(part) for part in parts))


def format_scale(scale: float) -> str:
    """The scale as file names and tables show it: 4.0 -> "4", 3.6 -> "3.6"."""
    return format(scale, ".10g")


def lr_size(hr: Size, scale: float, rule: LrRule = "floor-crop") -> Size:
    """The LR size of a rule; 0 for a scale that is too large.

    Args:
        hr: HR (height, width).
        scale: Nominal scale.
        rule: "floor-crop": floor(side / scale + 1e-9) per axis; "ceil": ceil(side / scale - 1e-9), as MATLAB's
            `imresize` with a factor; "round": the nearest, halves up.
    """
    if rule == "ceil":
        return math.ceil(hr[0] / scale - 1e-9), math.ceil(hr[1] / scale - 1e-9)
    offset = 0.5 if rule == "round" else 0.0
    return math.floor(hr[0] / scale + offset + 1e-9), math.floor(hr[1] / scale + offset + 1e-9)


def sr_size(lr: Size, scale: float) -> Size:
    """The exact size of the result for an LR image: round(side * scale) per axis (Python's rounding, as LIIF's)."""
    return round(lr[0] * scale), round(lr[1] * scale)


def effective_ratio(lr: Size, hr: Size) -> tuple[float, float]:
    """The scale per axis that the sizes imply: hr / lr."""
    return hr[0] / lr[0], hr[1] / lr[1]
