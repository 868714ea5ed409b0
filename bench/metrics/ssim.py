"""Structural similarity (Wang et al. 2004) in strips: 11 x 11 Gaussian of sigma 1.5, valid region, float64.

The form of the authors' MATLAB code and of BasicSR (K1 = 0.01, K2 = 0.03, peak 255, population moments, mean over the
map and over the channels). The Gaussian is applied as two one-dimensional passes, and since only the sum of the two
variances is needed, four filtered planes do instead of five.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature, shaved
from bench.metrics.strips import as_levels, row_strips

WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_SMALLEST_STRIP = 48
"""Rows: below this the overlap of ten rows costs more than the cache gains."""


class SSIM(Metric):
    """SSIM in the protocol's colour and shave."""

    info = MetricInfo(
        name="ssim",
        display="SSIM",
        kind=MetricKind.FULL_REFERENCE,
        direction=Direction.HIGHER,
        decimals=4,
        summary="structural similarity, 11 x 11 Gaussian window, mean over channels",
        paper="Wang et al., Image quality assessment: from error visibility to structural similarity, 2004",
    )

    def signature(self, protocol: Protocol, scale: float) -> str:
        """ssim|colour|shave|..., with clamp where the contrast term is clamped."""
        clamp = "clamp" if protocol.ssim_clamp else ""
        return build_signature(
            self.info.name, protocol.ssim_colour, clamp, protocol.shave_token(), protocol=protocol, scale=scale
        )

    def compute(self, pair: ScoredPair) -> float:
        """Mean SSIM; at most 1.

        Raises:
            UnitError: a side is below 11 px after the shave.
        """
        colour, border = pair.protocol.ssim_colour, pair.protocol.shave_at(pair.scale)
        sr = shaved(pair.plane(colour), border, smallest=WINDOW)
        hr = shaved(pair.plane(colour, reference=True), border, smallest=WINDOW)
        return ssim(sr, hr, clamp=pair.protocol.ssim_clamp)


class Similarity(NamedTuple):
    """Means of the SSIM map and of its contrast-structure part."""

    ssim: float
    contrast: float


def ssim(a: Plane, b: Plane, *, clamp: bool = False) -> float:
    """Mean SSIM of two images of one shape.

    Args:
        a, b: (H, W) or (H, W, 3), sides of at least 11; uint8, uint16 (257 per level) or float64 on 0..255.
        clamp: Replace negative contrast terms by 0, as pyiqa does.
    Returns:
        The mean over the valid region and the channels.
    Raises:
        ValueError: different shapes, or a side below 11.
    """
    return similarity(a, b, clamp=clamp).ssim


def similarity(a: Plane, b: Plane, *, clamp: bool = False) -> Similarity:
    """SSIM and its contrast-structure term; arguments and errors as in `ssim`."""
    if a.shape != b.shape:
        raise ValueError(f"expected two images of one shape, got {a.shape} and {b.shape}")
    height, width = a.shape[0] - WINDOW + 1, a.shape[1] - WINDOW + 1
    if min(height, width) < 1:
        raise ValueError(f"SSIM needs sides of at least {WINDOW} px, got {a.shape[0]} x {a.shape[1]}")
    channels = 1 if a.ndim == 2 else a.shape[2]
    full = contrast = 0.0
    for start, stop in row_strips(height, a.shape[1], least=_SMALLEST_STRIP):
        rows = slice(start, stop + WINDOW - 1)
        for c in range(channels):
            x, y = (as_levels(image[rows] if image.ndim == 2 else image[rows, :, c]) for image in (a, b))
            part = _strip_sums(np.ascontiguousarray(x), np.ascontiguousarray(y), clamp=clamp)
            full += part[0]
            contrast += part[1]
    count = height * width * channels
    return Similarity(full / count, contrast / count)


def gaussian(length: int, sigma: float) -> NDArray[np.float64]:
    """A normalised 1-D Gaussian of odd length, float64."""
    x = np.arange(length) - (length - 1) / 2
    weights = np.exp(-(x * x) / (2 * sigma * sigma))
    return weights / weights.sum()


_KERNEL = gaussian(WINDOW, _SIGMA)


def _strip_sums(x: NDArray[np.float64], y: NDArray[np.float64], *, clamp: bool) -> tuple[float, float]:
    """Sums of the SSIM map and of the contrast map over the valid region of a strip; in place where it can be."""
    mean_x, mean_y, cross = _blur(x), _blur(y), _blur(x * y)
    power = x * x
    power += y * y
    power = _blur(power)
    means = mean_x * mean_y
    mean_x *= mean_x
    mean_y *= mean_y
    mean_x += mean_y  # mu_x^2 + mu_y^2 from here on
    cross -= means
    cross *= 2
    cross += _C2
    power -= mean_x
    power += _C2
    cross /= power
    if clamp:
        np.maximum(cross, 0, out=cross)
    contrast = float(cross.sum())
    means *= 2
    means += _C1
    mean_x += _C1
    means /= mean_x
    return float(np.vdot(means, cross)), contrast


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    edge = WINDOW // 2
    full = cv2.sepFilter2D(plane, cv2.CV_64F, _KERNEL, _KERNEL, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(full[edge:-edge, edge:-edge], dtype=np.float64)
