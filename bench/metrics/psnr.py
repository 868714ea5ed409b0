"""Peak signal-to-noise ratio, exact in integers for 8-bit images.

PSNR = 10 log10(255^2 / MSE), the mean over all pixels and channels inside the shave. Identical images give infinity
(pyiqa caps at 80 dB); luma has the peak 255 too, as in MATLAB and BasicSR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from bench.api import Aggregation, Direction, MetricInfo, MetricKind, Protocol, Scale
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature, shaved
from bench.metrics.strips import as_levels, row_strips

PEAK = 255.0


def psnr_of_batches(values: Sequence[float], *, batch: int = 8) -> float:
    """PSNR of the mean MSE of every batch of consecutive images, averaged with the batch sizes as weights.

    Args:
        values: PSNR per image in dB, in id order; at least one.
        batch: Images per batch; the last one may be smaller.
    Returns:
        dB; `math.inf` where a whole batch is without error.
    Source: Kim et al., arbitrary-scale diffusion, eval_sr.py.
    """
    psnr = np.asarray(values, dtype=np.float64)
    starts = np.arange(0, psnr.size, batch)
    sizes = np.diff(starts, append=psnr.size)
    # relative to the peak's square, which drops out again
    mse = np.add.reduceat(10.0 ** (-psnr / 10), starts) / sizes
    with np.errstate(divide="ignore"):
        return float(np.average(-10 * np.log10(mse), weights=sizes))


class PSNR(Metric):
    """PSNR in the protocol's colour and shave."""

    info = MetricInfo(
        name="psnr",
        display="PSNR",
        kind=MetricKind.FULL_REFERENCE,
        direction=Direction.HIGHER,
        decimals=2,
        effect=0.05,
        summary="peak signal-to-noise ratio in dB; infinite for identical images",
        aggregations=(Aggregation("batch8-mse", psnr_of_batches),),
    )
    may_be_infinite = True

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """psnr|colour|shave|..."""
        return build_signature(self.info, protocol.psnr_colour, protocol.shave_token(), protocol=protocol, scale=scale)

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
