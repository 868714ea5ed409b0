"""Perceptual index of the PIRM 2018 challenge (Blau et al.): 0.5 ((10 - NRQM) + NIQE), lower is better.

It fixes its own luma and border, BT.601 studio luma rounded to 8 bit and a shave of 4, whatever the protocol says for
other no-reference metrics; averaging per-image values equals combining averages, since the formula is linear.
"""

from __future__ import annotations

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, Unavailable
from bench.metrics.base import Metric, ScoredPair, build_signature, shaved
from bench.metrics.niqe import BLOCK, PARAMETERS, load_parameters, niqe, niqe_tokens
from bench.metrics.nrqm import MODEL, nrqm
from bench.metrics.weights import WeightsFile, hash_token

COLOUR = "y601s-u8"
SHAVE = 4


class PI(Metric):
    """Perceptual index."""

    info = MetricInfo(
        name="pi",
        display="PI",
        kind=MetricKind.NO_REFERENCE,
        direction=Direction.LOWER,
        decimals=2,
        effect=0.1,
        summary="perceptual index of PIRM 2018: NRQM and NIQE combined, with its own luma and border",
        paper="Blau et al., The 2018 PIRM challenge on perceptual image super-resolution, 2018",
        smallest_side=BLOCK + 2 * SHAVE,
    )

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """pi|y601s-u8|k:f32|w:niqe hash|w:nrqm hash|shave:4|..."""
        own = (COLOUR, *niqe_tokens(self.weights_root), hash_token((MODEL,), self.weights_root), f"shave:{SHAVE}")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """Those of NRQM and NIQE."""
        return (MODEL, PARAMETERS)

    def compute(self, pair: ScoredPair) -> float:
        """PI, lower is better; errors as in `NRQM` and `NIQE`."""
        if reason := self.unavailable():
            raise Unavailable(reason)
        pristine = load_parameters(self.weights_root)
        luma = shaved(pair.plane(COLOUR), SHAVE)
        return 0.5 * (10 - nrqm(luma, self.weights_root) + niqe(luma, pristine))
