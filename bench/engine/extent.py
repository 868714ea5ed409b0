"""The pixels of a result before it is there, from the header of its source: what its cost goes by."""

from __future__ import annotations

from functools import lru_cache

from bench.api import ImageRef, Protocol, Sample, Scale, factors
from bench.data.images import header_size


def result_pixels(sample: Sample, scale: Scale, protocol: Protocol) -> int:
    """Pixels of an SR image, whether one is stored or not; 0 where no header can be read."""
    down, across = factors(scale)
    if protocol.size_rule == "fixed-lr" and protocol.lr_side is not None:
        return round(protocol.lr_side**2 * down * across)
    if sample.hr is not None:
        return _pixels(sample.hr)
    return round(_pixels(sample.lr) * down * across) if sample.lr is not None else 0


@lru_cache(maxsize=2**16)
def _pixels(image: ImageRef) -> int:
    height, width = header_size(image.path) or (0, 0)
    if image.centre_crop is not None:
        height, width = min(height, image.centre_crop[0]), min(width, image.centre_crop[1])
    return height * width
