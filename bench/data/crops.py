"""Crops of decoded images: from the top left, of the centre, and of a pair at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.api import Scale, Size, UnitError

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
        UnitError: a scale that does not divide the side, or an LR image that is too small.
    """
    if not float(scale).is_integer() or side % int(scale):
        raise UnitError(
            f"a centre crop of {side} px of a given pair needs a whole scale that divides it, got {scale:g}"
        )
    factor = int(scale)
    part = side // factor
    if min(lr.shape[:2]) < part:
        raise UnitError(
            f"the protocol takes the centre {part} px of the LR image, which has {lr.shape[0]} x {lr.shape[1]}"
        )
    top, left = (lr.shape[0] - part) // 2, (lr.shape[1] - part) // 2
    area = hr[top * factor : top * factor + side, left * factor : left * factor + side]
    return area, lr[top : top + part, left : left + part]
