"""SR as it is stored and scored: clipped to [0, 1] and rounded as the protocol says."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from bench.api import Protocol

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


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
    if protocol.plane == "y":
        same = np.array_equal(sr[0], sr[1]) and np.array_equal(sr[0], sr[2])
        planes = [sr[0] if same else sr.mean(axis=0, dtype=np.float64)]
    else:
        planes = list(sr)
    out = np.empty((*sr.shape[1:], len(planes)), kind)
    for index, plane in enumerate(planes):
        # float64, so that rounding to 16 bit and then to 8 gives what rounding to 8 bit gives
        scaled = np.multiply(plane, levels, dtype=np.float64)
        scaled += half
        np.clip(scaled, 0.0, levels, out=scaled)
        out[..., index] = scaled
    return cast("Pixels", out[..., 0] if protocol.plane == "y" else out)
