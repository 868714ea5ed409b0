"""Walking over an image in strips of rows, so that kernels need memory for a strip and not for the image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.metrics.base import Plane

STRIP_VALUES = 1 << 18
"""Pixels of a strip: its float64 buffers stay near the caches, and 8K needs megabytes."""


def row_strips(height: int, width: int, *, values: int = STRIP_VALUES, least: int = 1) -> Iterator[tuple[int, int]]:
    """Ranges of rows that together cover an image.

    Args:
        height: Rows to cover; width: pixels per row.
        values: About so many pixels per strip.
        least: At least so many rows per strip (where the overlap would otherwise cost more than the strip).
    Yields:
        (start, stop), in order, without gap or overlap.
    """
    step = max(values // max(width, 1), least, 1)
    for start in range(0, height, step):
        yield start, min(start + step, height)


def as_levels(strip: Plane) -> NDArray[np.float64]:
    """A strip as float64 on the scale 0..255; a copy unless it is float64 already."""
    if strip.dtype == np.uint16:
        return strip.astype(np.float64) / 257
    return strip.astype(np.float64, copy=False)


def load_levels(strip: Plane, out: NDArray[np.float64]) -> None:
    """Write a strip into `out` as float64 on the scale 0..255."""
    np.copyto(out, strip)
    if strip.dtype == np.uint16:
        out /= 257
