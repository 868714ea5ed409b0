"""Peak signal-to-noise ratio, exact in integers for 8-bit images.

PSNR = 10 log10(255^2 / MSE), the mean over all pixels and channels inside the shave. Identical images give infinity
(pyiqa caps at 80 dB); luma has the peak 255 too, as in MATLAB and BasicSR.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from bench.api import Direction, MetricInfo, MetricKind, Protocol
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature, shaved
from bench.metrics.strips import as_levels, row_strips

PEAK = 255.0


class PSNR(Metric):
    """PSNR in the protocol's colour and shave."""

    info = MetricInfo(
        name="psnr",
        display="PSNR",
        kind=MetricKind.FULL_REFERENCE,
        direction=Direction.HIGHER,
        decimals=2,
        summary="peak signal-to-noise ratio in dB; infinite for identical images",
    )
    may_be_infinite = True

    def signature(self, protocol: Protocol, scale: float) -> str:
        """psnr|colour|shave|..."""
        return build_signature(
            self.info.name, protocol.psnr_colour, protocol.shave_token(), protocol=protocol, scale=scale, batched=True
        )

    def compute(self, pair: ScoredPair) -> float:
        """dB; `math.inf` where nothing differs."""
        colour, border = pair.protocol.psnr_colour, pair.protocol.shave_at(pair.scale)
        sr = shaved(pair.plane(colour), border)
        return psnr(sr, shaved(pair.plane(colour, reference=True), border))


def psnr(a: Plane, b: Plane) -> float:
    """PSNR of two images of one shape, in dB.

    Args:
        a, b: (H, W) or (H, W, 3); uint8, uint16 (257 per level) or float64 on 0..255, not necessarily the same.
    Returns:
        dB, `math.inf` for equal values.
    Raises:
        ValueError: different shapes.
    """
    error = mean_squared_error(a, b)
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / error)


def mean_squared_error(a: Plane, b: Plane) -> float:
    """Mean squared difference on the scale 0..255, exact for uint8; arguments as in `psnr`."""
    if a.shape != b.shape:
        raise ValueError(f"expected two images of one shape, got {a.shape} and {b.shape}")
    if a.dtype == b.dtype == np.uint8:
        # OpenCV squares the root of an exact sum; rounding brings the integer back.
        return round(cv2.norm(a, b, cv2.NORM_L2SQR)) / a.size
    total = 0.0
    for start, stop in row_strips(a.shape[0], a.size // a.shape[0]):
        difference = (as_levels(a[start:stop]) - as_levels(b[start:stop])).ravel()
        total += float(difference @ difference)
    return total / a.size
