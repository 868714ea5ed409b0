"""Errors of one image against another, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def absolute_error(sr: NDArray[Any], hr: NDArray[Any]) -> NDArray[np.float32]:
    """|SR - HR| in levels of 255, averaged over the channels: float32 (H, W).

    Args:
        sr: (H, W) or (H, W, 3) of 8 or 16 bits.
        hr: The same shape, 8 bits.
    """
    levels = sr.astype(np.float32) / (257 if sr.dtype == np.uint16 else 1)
    apart = np.abs(levels - hr.astype(np.float32))
    return apart if apart.ndim == 2 else apart.mean(axis=-1)
