"""Five-level MS-SSIM as the ScaleParty release computes it (mmgeneration, after the progressive-GAN code).

Wang, Simoncelli, Bovik 2003. Each level halves both images by 2 x 2 means; the window shrinks with images below 11 px
and its sigma with it; the mean runs over pixels and channels together; negative terms count as 0. An odd last row or
column is dropped before halving, where that code fails.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.metrics.base import Plane
from bench.metrics.ssim import Similarity, gaussian, similarity
from bench.metrics.strips import as_levels

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the levels, finest first (they sum to 0.9999, as in the paper)."""
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Float64 = NDArray[np.float64]


def ms_ssim(a: Plane, b: Plane) -> float:
    """MS-SSIM of two images of one shape.

    Args:
        a, b: (H, W) or (H, W, 3), uint8 or float64 on 0..255, sides of at least 16.
    Returns:
        In [0, 1].
    Raises:
        ValueError: different shapes, or a side below 16, which five levels halve to nothing.
    """
    if a.shape != b.shape or min(a.shape[:2]) < 16:
        raise ValueError(f"expected two images of one shape with sides of at least 16 px, got {a.shape} and {b.shape}")
    value = 1.0
    for level, weight in enumerate(WEIGHTS):
        parts = _similarity(a, b)
        last = level == len(WEIGHTS) - 1
        value *= max(parts.ssim if last else parts.contrast, 0.0) ** weight
        if not last:
            a, b = _halved(a), _halved(b)
    return float(value)


def _similarity(a: Plane, b: Plane) -> Similarity:
    size = min(*a.shape[:2], _WINDOW)
    if size == _WINDOW:
        return similarity(a, b)
    kernel = gaussian(size, size * _SIGMA / _WINDOW)
    a, b = as_levels(a), as_levels(b)

    def blur(x: Float64) -> Float64:
        rows = sliding_window_view(x, size, axis=0) @ kernel
        return sliding_window_view(rows, size, axis=1) @ kernel

    mean_a, mean_b = blur(a), blur(b)
    spread = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    contrast = (2 * (blur(a * b) - mean_a * mean_b) + _C2) / (spread + _C2)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return Similarity(float((luminance * contrast).mean()), float(contrast.mean()))


def _halved(image: Plane) -> Float64:
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    even = image[:height, :width]
    half = np.add(even[0::2, 0::2], even[1::2, 0::2], dtype=np.float64)
    half += even[0::2, 1::2]
    half += even[1::2, 1::2]
    half /= 4
    return half
