"""Luma as the field computes it: BT.601 studio swing (MATLAB, BasicSR) and full-range YIQ (pyiqa).

Sources: ITU-R BT.601 (65.481, 128.553, 24.966 and offset 16, as MATLAB's `rgb2ycbcr`); NTSC luma 0.299, 0.587, 0.114.
Work goes by strips of rows, so a whole 8K image needs little more memory than its result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.imaging.errors import ImageError

Colour = Literal["rgb", "y601s", "y601s-u8", "yiq-u8"]
Float64 = NDArray[np.float64]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_STRIP_VALUES = 1 << 18
_STUDIO = np.array([[65481.0, 128553.0, 24966.0]])
"""Thousandths of BT.601 studio luma per unit of RGB: integers, so that the sums of 8-bit pixels are exact."""
_YIQ = (np.float32(0.299), np.float32(0.587), np.float32(0.114))


def to_colour(pixels: Pixels, colour: Colour) -> Float64:
    """The values that a metric compares.

    Args:
        pixels: (H, W, 3) RGB, or (H, W), which is luma already and is only rescaled; uint8, or uint16 (257 per level).
        colour: "rgb"; "y601s": studio luma (16..235), unrounded; "y601s-u8": the same rounded to whole levels;
            "yiq-u8": full-range luma (0..255) rounded to whole levels. A "-u8" colour rounds a uint16 luma plane too.
    Returns:
        float64 on the 0..255 scale, (H, W, 3) for "rgb" of a colour image, else (H, W).
    Raises:
        ImageError: another shape, dtype or colour name.
    """
    _check(pixels)
    if colour not in _LUMA and colour != "rgb":
        raise ImageError(f"unknown colour '{colour}': expected rgb, {', '.join(_LUMA)}")
    if pixels.ndim == 3 and colour != "rgb":
        return _LUMA[colour](pixels).astype(np.float64, copy=False)
    plane = pixels.astype(np.float64)
    if pixels.dtype == np.uint16:
        plane /= 257
        if colour.endswith("-u8"):
            plane = np.floor(plane + 0.5)
    return plane


def studio_luma(rgb: Pixels) -> Float64:
    """BT.601 studio luma (16..235) of (H, W, 3) uint8 or uint16 RGB: (H, W) float64, unrounded."""

    def luma(strip: NDArray[Any]) -> NDArray[Any]:
        y = cv2.transform(strip.astype(np.float64), _STUDIO)
        y /= 255_000 if strip.dtype == np.uint8 else 255_000 * 257
        y += 16
        return y

    return _by_strips(rgb, luma, np.dtype(np.float64))


def studio_luma_u8(rgb: Pixels) -> NDArray[np.uint8]:
    """BT.601 studio luma rounded to 8 bit (half up), as MATLAB's `rgb2ycbcr` of a uint8 image: (H, W) uint8."""

    def luma(strip: NDArray[Any]) -> NDArray[Any]:
        y = cv2.transform(strip.astype(np.float64), _STUDIO)
        unit = 255_000 if strip.dtype == np.uint8 else 255_000 * 257
        # Rounded before the division, where 8-bit sums are whole numbers and ties are exact.
        y += unit // 2
        y /= unit
        y += 16
        return np.floor(y, out=y)

    return _by_strips(rgb, luma, np.dtype(np.uint8))


def yiq_luma_u8(rgb: Pixels) -> NDArray[np.uint8]:
    """Full-range YIQ luma rounded to 8 bit (half to even), as pyiqa's `to_y_channel(x, 255.)`: (H, W) uint8.

    One colour in a thousand lies on a tie that float32 noise decides, so the arithmetic is pyiqa's on the CPU: float32
    of pixel / 255, summed R, G, B, then times 255.
    """

    def luma(strip: NDArray[Any]) -> NDArray[Any]:
        planes = cv2.split(strip)
        if strip.dtype == np.uint8:
            y, green, blue = (cv2.LUT(p, table) for p, table in zip(planes, _YIQ_TABLES, strict=True))
        else:
            y, green, blue = (p / np.float32(65535) * w for p, w in zip(planes, _YIQ, strict=True))
        y += green
        y += blue
        y *= np.float32(255)
        return np.rint(y, out=y)

    return _by_strips(rgb, luma, np.dtype(np.uint8))


_YIQ_TABLES = [np.arange(256, dtype=np.float32) / np.float32(255) * weight for weight in _YIQ]
_LUMA: dict[str, Callable[[Pixels], NDArray[Any]]] = {
    "y601s": studio_luma,
    "y601s-u8": studio_luma_u8,
    "yiq-u8": yiq_luma_u8,
}


def _by_strips(rgb: Pixels, luma: Callable[[NDArray[Any]], NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    _check(rgb)
    if rgb.ndim != 3:
        raise ImageError(f"expected RGB pixels (H, W, 3), got shape {rgb.shape}")
    height, width = rgb.shape[:2]
    out = np.empty((height, width), dtype)
    step = max(_STRIP_VALUES // width, 1)
    for start in range(0, height, step):
        strip = luma(np.ascontiguousarray(rgb[start : start + step]))
        out[start : start + step] = strip.reshape(-1, width)
    return out


def _check(pixels: NDArray[Any]) -> None:
    shape_ok = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not shape_ok or 0 in pixels.shape or pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            f"expected uint8 or uint16 pixels (H, W, 3) or (H, W), got {pixels.dtype} of shape {pixels.shape}"
        )
