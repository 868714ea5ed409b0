"""SelfSSIM: whether a method draws the same picture at two scales. No reference image is involved.

CasArbi's table II gives no formula. Its asymmetry fits only "the output of scale a is resized to the size of the output
of scale b, and compared there" with a the row and b the column, and its values fit plain SSIM [inferred]. ScaleParty
(Ntavelis et al. 2022, arXiv 2204.02273), which it cites, resizes by nearest neighbour and takes MS-SSIM, with the row
as the reference. Here the second image always is the reference size, so ScaleParty's table reads transposed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError
from bench.imaging.io import rounded_to_8bit
from bench.imaging.resize import resized_rows
from bench.metrics.base import CrossScaleMetric, Pixels, build_signature
from bench.metrics.msssim import ms_ssim
from bench.metrics.ssim import similarity_by_rows, ssim


def self_ssim(sr_a: Pixels, sr_b: Pixels) -> float:
    """SSIM of one output resized to the size of another, at that size.

    Args:
        sr_a: (H, W, 3) or (H, W), uint8 or uint16: the row of the table; resized by antialiased bicubic, unrounded.
        sr_b: The same picture at another scale: the column, which gives the size.
    Returns:
        The mean over the valid region (11 x 11 Gaussian window, sigma 1.5) and the channels; 1 for equal images.
    Raises:
        UnitError: one is gray and the other is not, or a side of sr_b is below 11 px.
    """
    _require_alike(sr_a, sr_b)
    size = (sr_b.shape[0], sr_b.shape[1])
    levels = 257.0 if sr_a.dtype == np.uint16 else 1.0
    try:
        if sr_a.shape == sr_b.shape:
            return ssim(sr_a, sr_b)
        return similarity_by_rows(lambda i, j: resized_rows(sr_a, size, i, j, levels=levels), sr_b).ssim
    except ValueError as fault:
        raise UnitError(f"selfssim: {fault}") from fault


def self_ms_ssim_nearest(sr_a: Pixels, sr_b: Pixels) -> float:
    """ScaleParty's variant: nearest neighbour to the size of sr_b, 8 bit, five-level MS-SSIM.

    Args:
        sr_a, sr_b: As for `self_ssim`; sides of sr_b of at least 16 px.
    Raises:
        UnitError: one is gray and the other is not, or sr_b is too small.
    """
    _require_alike(sr_a, sr_b)
    try:
        # rounding and picking pixels commute, so 8 bits a sample are enough
        return ms_ssim(nearest(rounded_to_8bit(sr_a), (sr_b.shape[0], sr_b.shape[1])), rounded_to_8bit(sr_b))
    except ValueError as fault:
        raise UnitError(f"selfssim_msssim_nn: {fault}") from fault


def nearest(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Nearest neighbour as torch's default `interpolate`: source index floor(i * source / target)."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(size, image.shape[:2], strict=True))
    return image[rows[:, None], columns]


class SelfSSIM(CrossScaleMetric):
    """SSIM between outputs at two scales, at the size of the second."""

    info = MetricInfo(
        name="selfssim",
        display="SelfSSIM",
        kind=MetricKind.CROSS_SCALE,
        direction=Direction.HIGHER,
        decimals=3,
        effect=0.005,
        summary="SSIM between a method's outputs at two scales, at the size of the reference scale",
        paper="CasArbi, arXiv 2506.07813, table II; definition inferred",
    )

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """Such as `selfssim|rgb|resize:matlab-bicubic|ref:column|shave:0|q:u8|…|v1`."""
        own = ("rgb", "resize:matlab-bicubic", "ref:column", "shave:0")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def compute_pair(self, sr_a: Pixels, sr_b: Pixels) -> float:
        """`self_ssim`: sr_b is the reference size."""
        return self_ssim(sr_a, sr_b)


class SelfMSSSIMNearest(SelfSSIM):
    """ScaleParty's definition."""

    info = MetricInfo(
        name="selfssim_msssim_nn",
        display="SelfSSIM (MS, nearest)",
        kind=MetricKind.CROSS_SCALE,
        direction=Direction.HIGHER,
        decimals=3,
        effect=0.005,
        summary="MS-SSIM between outputs at two scales, nearest neighbour to the size of the reference scale",
        paper="Ntavelis et al. 2022, arXiv 2204.02273, as released",
    )

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """Such as `selfssim_msssim_nn|rgb|resize:nearest|levels:5|ref:column|shave:0|…|v1`."""
        own = ("rgb", "resize:nearest", "levels:5", "ref:column", "shave:0")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def compute_pair(self, sr_a: Pixels, sr_b: Pixels) -> float:
        """`self_ms_ssim_nearest`: sr_b is the reference size."""
        return self_ms_ssim_nearest(sr_a, sr_b)


def _require_alike(sr_a: Pixels, sr_b: Pixels) -> None:
    """Refuse a gray image beside one in colour.

    Raises:
        UnitError: their channels differ.
    """
    if sr_a.shape[2:] != sr_b.shape[2:]:
        raise UnitError(f"the outputs have different channels: {sr_a.shape} and {sr_b.shape} (height, width, channels)")
