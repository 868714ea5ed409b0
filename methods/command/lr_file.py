"""An LR image as the levels of the file that a program will read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def lr_pixels(lr: NDArray[np.float32], bits: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The LR image as the file will hold it.

    Args:
        lr: (3, h, w) in [0, 1].
        bits: "8", "16", or "auto": 8 where nothing is lost by it, else 16 (an error of at most 1/131070).
    Returns:
        (h, w, 3), uint8 or uint16.
    """
    image = np.clip(lr.transpose(1, 2, 0).astype(np.float64), 0, 1)
    levels = image * 255
    if bits == "auto":
        bits = "8" if np.abs(levels - np.rint(levels)).max(initial=0) < 1e-3 else "16"
    if bits == "8":
        return np.floor(levels + 0.5).astype(np.uint8)
    return np.floor(image * 65535 + 0.5).astype(np.uint16)
