"""Seeds derived by hash from named axes, so that adding a method, a scale or an image never changes another result."""

from __future__ import annotations

import hashlib
import json


def derive_seed(*axes: str | int) -> int:
    """A 63-bit seed from named axes.

    Args:
        axes: The values that name the random stream, for example (run seed, image id) or (unit seed, "stage", 2).
    Returns:
        An integer in [0, 2**63), the same on every machine and in every process.
    """
    text = json.dumps(axes)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
