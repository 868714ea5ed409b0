"""Structural similarity (Wang et al. 2004) in strips: 11 x 11 Gaussian of sigma 1.5, valid region, float64.

The form of the authors' MATLAB code and of BasicSR (K1 = 0.01, K2 = 0.03, peak 255, population moments, mean over the
map and over the channels). The Gaussian is applied as two one-dimensional passes, and since only the sum of the two
variances is needed, four filtered planes do instead of five.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature, shaved
from bench.metrics.strips import load_levels, row_strips

Float64 = NDArray[np.float64]
WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_SMALLEST_STRIP = 48
"""Rows: below this the overlap of ten rows costs more than the cache gains."""


class SSIM(Metric):
    """SSIM in the protocol's colour, with its own border where the protocol names one."""

    info = MetricInfo(
        name="ssim",
        display="SSIM",
        kind=MetricKind.FULL_REFERENCE,
        direction=Direction.HIGHER,
        decimals=4,
        effect=0.001,
        summary="structural similarity, 11 x 11 Gaussian window, mean over channels",
        paper="Wang et al., Image quality assessment: from error visibility to structural similarity, 2004",
    )

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """ssim|colour|shave|..., with clamp where the contrast term is clamped."""
        clamp = "clamp" if protocol.ssim_clamp else ""
        return build_signature(
            self.info, protocol.ssim_colour, clamp, protocol.ssim_shave_token(), protocol=protocol, scale=scale
        )

    def compute(self, pair: ScoredPair) -> float:
        """Mean SSIM; at most 1.

        Raises:
            UnitError: a side is below 11 px after the shave.
        """
        colour, border = pair.protocol.ssim_colour, pair.protocol.ssim_shave_at(pair.scale)
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
    strips = list(row_strips(height, a.shape[1], least=_SMALLEST_STRIP))
    buffers = np.empty((6, strips[0][1] + WINDOW - 1, a.shape[1]))
    full = contrast = 0.0
    for start, stop in strips:
        rows = slice(start, stop + WINDOW - 1)
        for c in range(channels):
            x, y = (image[rows] if image.ndim == 2 else image[rows, :, c] for image in (a, b))
            part = _strip_sums(x, y, buffers[:, : stop - start + WINDOW - 1], clamp=clamp)
            full += part.ssim
            contrast += part.contrast
    count = height * width * channels
    return Similarity(full / count, contrast / count)


def similarity_by_rows(rows: Callable[[int, int], Plane], b: Plane, *, clamp: bool = False) -> Similarity:
    """SSIM and its contrast-structure term of an image that is made a few rows at a time.

    Args:
        rows: (start, stop) -> these rows of the image, (stop - start, W[, 3]).
        b: The other one.
        clamp: As in `ssim`.
    Raises:
        ValueError: a side below 11.
    """
    valid = b.shape[0] - WINDOW + 1
    full = contrast = 0.0
    # neighbouring strips share the ten rows that their windows reach into
    for start, stop in row_strips(max(valid, 1), b.shape[1], least=_SMALLEST_STRIP):
        reach = min(stop + WINDOW - 1, b.shape[0])
        part = similarity(rows(start, reach), b[start:reach], clamp=clamp)
        full += part.ssim * (stop - start)
        contrast += part.contrast * (stop - start)
    return Similarity(full / valid, contrast / valid)


def gaussian(length: int, sigma: float) -> Float64:
    """A normalised 1-D Gaussian of odd length, float64."""
    x = np.arange(length) - (length - 1) / 2
    weights = np.exp(-(x * x) / (2 * sigma * sigma))
    return weights / weights.sum()


_KERNEL = gaussian(WINDOW, _SIGMA)


def _strip_sums(a: Plane, b: Plane, buffers: Float64, *, clamp: bool) -> Similarity:
    """Sums of the two maps over the valid region of a strip.

    All arithmetic goes through six buffers of the strip's size: fresh arrays would cost more than the filters.
    """
    x, y, mean_x, mean_y, cross, power = buffers
    load_levels(a, x)
    load_levels(b, y)
    _blur(x, mean_x)
    _blur(y, mean_y)
    np.multiply(x, y, out=power)
    _blur(power, cross)
    x *= x
    y *= y
    x += y
    _blur(x, power)
    means = np.multiply(mean_x, mean_y, out=x)
    mean_x *= mean_x
    mean_y *= mean_y
    squares = np.add(mean_x, mean_y, out=mean_x)
    cross -= means
    cross *= 2
    cross += _C2
    power -= squares
    power += _C2
    cross /= power
    if clamp:
        np.maximum(cross, 0, out=cross)
    means *= 2
    means += _C1
    squares += _C1
    means /= squares
    means *= cross
    edge = WINDOW // 2
    valid = slice(edge, -edge), slice(edge, -edge)
    return Similarity(float(means[valid].sum()), float(cross[valid].sum()))


def _blur(plane: Float64, out: Float64) -> None:
    cv2.sepFilter2D(plane, cv2.CV_64F, _KERNEL, _KERNEL, dst=out, borderType=cv2.BORDER_REPLICATE)
