"""LR-PSNR: the result, downsampled as the protocol makes LR, against the LR that the method was given.

A consistency check (SRFlow, NTIRE 2021 learning-SR challenge): it needs no HR and says nothing of sharpness.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError
from bench.metrics.base import Metric, Pixels, ScoredPair, build_signature
from bench.metrics.strips import as_levels, row_strips


class LRPSNR(Metric):
    """PSNR in LR space, all channels, no shave."""

    info = MetricInfo(
        name="lr_psnr",
        display="LR-PSNR",
        kind=MetricKind.FULL_REFERENCE,
        direction=Direction.HIGHER,
        decimals=2,
        effect=0.05,
        summary="PSNR in dB between the downsampled result and the LR input (consistency)",
        paper="Lugmayr et al., SRFlow, 2020",
    )
    needs_lr = True
    needs_hr = False
    may_be_infinite = True

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """lr_psnr|rgb|shave:0|..."""
        return build_signature(self.info, "rgb", "shave:0", protocol=protocol, scale=scale)

    def compute(self, pair: ScoredPair) -> float:
        """dB; `math.inf` where nothing differs.

        Raises:
            UnitError: LR is not at hand, or the protocol does not make LR by downsampling.
        """
        from bench.imaging import downsample

        if pair.lr is None:
            raise UnitError("the LR image is not at hand")
        if pair.protocol.degradation != "none":
            raise UnitError(
                f"LR is made by the degradation '{pair.protocol.degradation}', which a downsampled result cannot meet"
            )
        kernel, depth = pair.protocol.downsampler_at(pair.scale), pair.protocol.lr_depth
        lr = pair.lr if pair.sr.ndim == 3 else pair.lr[:, :, 0]
        small = downsample(_as_u8(pair.sr), (lr.shape[0], lr.shape[1]), kernel=kernel, depth=depth)
        given = lr.astype(np.float64) * 255
        if depth == "u8":
            given = np.rint(given)
        error = float(np.mean((small - given) ** 2))
        return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _as_u8(pixels: Pixels) -> NDArray[np.uint8]:
    """8-bit pixels; 16-bit results are rounded, since the downsamplers are those of 8-bit libraries."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    out = np.empty(pixels.shape, np.uint8)
    for start, stop in row_strips(pixels.shape[0], pixels.shape[1]):
        out[start:stop] = np.floor(as_levels(pixels[start:stop]) + 0.5)
    return out
