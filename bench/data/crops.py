"""Crops of decoded images: from the top left, of the centre, and of a pair at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.api import Scale, Size, UnitError, factors, format_scale

U8 = NDArray[np.uint8]


def hw(pixels: U8) -> Size:
    """(height, width)."""
    return pixels.shape[0], pixels.shape[1]


def top_left(pixels: U8, size: Size) -> U8:
    """The part of this size from the top left; a view, smaller where the image is."""
    return pixels[: size[0], : size[1]]


def centre(pixels: U8, size: Size) -> U8:
    """The centre of this size."""
    top, left = (pixels.shape[0] - size[0]) // 2, (pixels.shape[1] - size[1]) // 2
    return pixels[top : top + size[0], left : left + size[1]]


def square(pixels: U8) -> U8:
    """The largest centred square."""
    side = min(pixels.shape[:2])
    return centre(pixels, (side, side))


def centre_square(pixels: U8, side: int) -> U8:
    """The centred square of this side.

    Raises:
        UnitError: the image is smaller.
    """
    if min(pixels.shape[:2]) < side:
        raise UnitError(
            f"the protocol takes the centre {side} x {side} px of the source, which has only {pixels.shape[0]} x "
            f"{pixels.shape[1]} (height x width); use larger images or a protocol without source_crop"
        )
    return centre(pixels, (side, side))


def centre_pair(hr: U8, lr: U8, scale: Scale, side: int) -> tuple[U8, U8]:
    """The centre of LR with side / scale pixels, and the HR pixels above it.

    Raises:
        UnitError: a factor that does not divide the side, or an LR image that is too small.
    """
    down, across = (int(factor) for factor in factors(scale))
    if (down, across) != factors(scale) or side % down or side % across:
        raise UnitError(
            f"a centre crop of {side} px of a given pair needs whole factors that divide it, got x{format_scale(scale)}"
        )
    height, width = side // down, side // across
    if lr.shape[0] < height or lr.shape[1] < width:
        raise UnitError(
            f"the protocol takes the centre {height} x {width} px of the LR image, which has {lr.shape[0]} x "
            f"{lr.shape[1]}"
        )
    top, left = (lr.shape[0] - height) // 2, (lr.shape[1] - width) // 2
    area = hr[top * down : top * down + side, left * across : left * across + side]
    return area, lr[top : top + height, left : left + width]
