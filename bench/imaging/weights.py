"""One-dimensional resampling weights as cached sparse matrices: MATLAB's kernels and torch's adaptive averaging.

Source: MATLAB's documented `imresize` (pixel-centre grid, kernels widened by the ratio for antialiasing, symmetric
padding, rows normalised to one); Keys 1981 for the cubic with a = -0.5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bench.imaging.errors import ImageError

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Float64 = NDArray[np.float64]


@lru_cache(maxsize=256)
def kernel_matrix(
    length: int, out_length: int, kernel: Kernel, antialias: bool, dtype: str = "float64", scale: float | None = None
) -> csr_array:
    """The matrix that resamples one axis as MATLAB does.

    Args:
        length: Samples of the input, at least 1.
        out_length: Samples of the output, at least 1.
        kernel: "nearest", "bilinear", "bicubic" (a = -0.5) or "lanczos" (three lobes).
        antialias: Widen the kernel by the ratio when shrinking.
        dtype: "float64" or "float32".
        scale: The factor of the grid where it is not out_length / length; the grid begins at the first sample's edge.
    Returns:
        (out_length, length) CSR whose rows sum to 1, taps in MATLAB's order. Shared: do not modify.
    """
    if kernel not in _KERNELS:
        raise ImageError(f"unknown resampling kernel '{kernel}': expected one of {', '.join(_KERNELS)}")
    function, width = _KERNELS[kernel]
    scale = out_length / length if scale is None else scale
    stretch = scale if antialias and scale < 1 else 1.0
    support = width / stretch
    centre = (np.arange(out_length) + 0.5) / scale - 0.5
    first = np.floor(centre - support / 2).astype(np.int64)
    taps = first[:, None] + np.arange(int(np.ceil(support)) + 2)
    weights = function((stretch * (centre[:, None] - taps)).astype(np.float64))
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = taps % (2 * length)
    mirrored = np.where(mirrored < length, mirrored, 2 * length - 1 - mirrored)
    return _csr(weights, mirrored, length, dtype)


@lru_cache(maxsize=256)
def average_matrix(length: int, out_length: int, dtype: str = "float64") -> csr_array:
    """The matrix of adaptive averaging: output i is the mean of samples floor(i r) to ceil((i + 1) r), r = in / out.

    Source: torch's `adaptive_avg_pool` and `interpolate(mode="area")`.
    """
    index = np.arange(out_length)
    start = index * length // out_length
    stop = -((index + 1) * length // -out_length)
    offsets = np.arange(int((stop - start).max()))
    inside = offsets < (stop - start)[:, None]
    weights = inside / (stop - start)[:, None]
    taps = np.minimum(start[:, None] + offsets, length - 1)
    return _csr(weights, taps, length, dtype)


def _csr(weights: Float64, taps: NDArray[np.int64], length: int, dtype: str) -> csr_array:
    keep = weights != 0
    indptr = np.concatenate(([0], np.cumsum(keep.sum(axis=1)))).astype(np.int32)
    data = weights[keep].astype(dtype)
    return csr_array((data, taps[keep].astype(np.int32), indptr), shape=(weights.shape[0], length))


def _box(x: Float64) -> Float64:
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def _triangle(x: Float64) -> Float64:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: Float64) -> Float64:
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _lanczos3(x: Float64) -> Float64:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_KERNELS: dict[str, tuple[Callable[[Float64], Float64], float]] = {
    "nearest": (_box, 1.0),
    "bilinear": (_triangle, 2.0),
    "bicubic": (_cubic, 4.0),
    "lanczos": (_lanczos3, 6.0),
}
