"""SR as it is stored and scored: clipped to [0, 1] and rounded as the protocol says."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from bench.api import Protocol

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
_STRIP_VALUES = 1 << 18
"""Values rounded at a time: float64 of a strip and not of the canvas."""


def quantise(sr: NDArray[np.float32], protocol: Protocol) -> Pixels:
    """Clip to [0, 1] and round as the protocol says.

    Args:
        sr: float32 (3, H, W). Under a luma protocol the plane is the mean of the channels (equal for most methods).
        protocol: `sr_depth` u8 rounds halves up, u8-trunc truncates, float keeps 16 bit.
    Returns:
        (H, W, 3) or, under plane "y", (H, W).
    """
    levels, kind = (65535.0, np.uint16) if protocol.sr_depth == "float" else (255.0, np.uint8)
    half = 0.0 if protocol.sr_depth == "u8-trunc" else 0.5
    luma = protocol.plane == "y"
    same = luma and np.array_equal(sr[0], sr[1]) and np.array_equal(sr[0], sr[2])
    out = np.empty((*sr.shape[1:], 1 if luma else 3), kind)
    step = max(_STRIP_VALUES // sr.shape[2], 1)
    for start in range(0, sr.shape[1], step):
        strip, rows = sr[:, start : start + step], out[start : start + step]
        if luma:
            strip = strip[:1] if same else strip.mean(axis=0, dtype=np.float64, keepdims=True)
        for index, plane in enumerate(strip):
            # float64, so that rounding to 16 bit and then to 8 gives what rounding to 8 bit gives
            scaled = np.multiply(plane, levels, dtype=np.float64)
            scaled += half
            np.clip(scaled, 0.0, levels, out=scaled)
            rows[..., index] = scaled
    return cast("Pixels", out[..., 0] if luma else out)
