"""SelfSSIM: whether a method draws the same picture at two scales. No reference image is involved.

CasArbi's table II gives no formula. Its asymmetry fits only "the output of scale a is resized to the size of the output
of scale b, and compared there" with a the row and b the column, and its values fit plain SSIM [inferred]. ScaleParty
(Ntavelis et al. 2022, arXiv 2204.02273), which it cites, resizes by nearest neighbour and takes MS-SSIM, with the row
as the reference. Here the second image always is the reference size, so ScaleParty's table reads transposed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError
from bench.imaging import imresize
from bench.metrics.base import CrossScaleMetric, Pixels, build_signature
from bench.metrics.msssim import ms_ssim
from bench.metrics.ssim import ssim

Float64 = NDArray[np.float64]


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
    a, b = _levels(sr_a, sr_b)
    size = (b.shape[0], b.shape[1])
    try:
        return ssim(a if a.shape == b.shape else imresize(a, size), b)
    except ValueError as fault:
        raise UnitError(f"selfssim: {fault}") from fault


def self_ms_ssim_nearest(sr_a: Pixels, sr_b: Pixels) -> float:
    """ScaleParty's variant: nearest neighbour to the size of sr_b, 8 bit, five-level MS-SSIM.

    Args:
        sr_a, sr_b: As for `self_ssim`; sides of sr_b of at least 16 px.
    Raises:
        UnitError: one is gray and the other is not, or sr_b is too small.
    """
    a, b = _levels(sr_a, sr_b)
    try:
        return ms_ssim(np.rint(nearest(a, (b.shape[0], b.shape[1]))), np.rint(b))
    except ValueError as fault:
        raise UnitError(f"selfssim_msssim_nn: {fault}") from fault


def nearest(image: Float64, size: tuple[int, int]) -> Float64:
    """Nearest neighbour as torch's default `interpolate`: source index floor(i * source / target)."""
    rows, columns = (np.arange(n) * side // n for n, side in zip(size, image.shape[:2], strict=True))
    return image[rows][:, columns]


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


def _levels(sr_a: Pixels, sr_b: Pixels) -> tuple[Float64, Float64]:
    """Both images as float64 on 0..255."""
    if sr_a.shape[2:] != sr_b.shape[2:]:
        raise UnitError(f"the outputs have different channels: {sr_a.shape} and {sr_b.shape} (height, width, channels)")
    a, b = (image.astype(np.float64) / (257.0 if image.dtype == np.uint16 else 1.0) for image in (sr_a, sr_b))
    return a, b
