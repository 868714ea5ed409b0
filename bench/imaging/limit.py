"""The largest image that is read, of any format: a small file may claim a size that no memory holds."""

from __future__ import annotations

import os

from bench.imaging.errors import ImageError

VARIABLE = "ASSR_BENCH_MAX_PIXELS"
"""Environment variable: another limit, in pixels."""
DEFAULT = 2**28
"""Pixels, 16384 x 16384: eight times the largest image of a public test set, about 2 GB while it is decoded."""
DECODED_PIXELS, LONGEST_SIDE = 2**30, 2**20
"""What OpenCV decodes at most: pixels, and pixels along one side."""


def largest() -> int:
    """How many pixels an image may have.

    Raises:
        ImageError: the environment variable is no positive whole number.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return DEFAULT
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < 1:
        raise ImageError(f"expected a number of pixels in {VARIABLE}, such as {DEFAULT}, got {text[:40]!r}")
    return min(int(text), DECODED_PIXELS)


def require_size(height: int, width: int) -> None:
    """Refuse an image by the size in its header, before anything of it is decoded.

    Raises:
        ImageError: too large, or empty.
    """
    if height < 1 or width < 1:
        raise ImageError(f"damaged: its header says {height} x {width} pixels (height x width)")
    most = largest()
    if height * width > most or max(height, width) > LONGEST_SIDE:
        may_be_allowed = height * width <= DECODED_PIXELS and max(height, width) <= LONGEST_SIDE
        how = f"cut it into parts, or set {VARIABLE}" if may_be_allowed else "cut it into parts"
        raise ImageError(
            f"too large for this program: {height} x {width} pixels (height x width), {height * width / 1e6:.0f} "
            f"megapixels; at most {most / 1e6:.0f}, and {LONGEST_SIDE} along a side, are read; {how}"
        )
