"""Where tiles lie: along one axis, their LR spans, their exact HR spans, and feathering weights that sum to one.

A tile is rendered as if it were a whole image, so its pixels sit on the image's grid only where its LR borders fall on
HR pixel borders. At a fractional ratio the cuts are therefore moved, within a quarter of the step, to where they do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Span:
    """One tile along one axis.

    Attributes:
        lr: Start and stop in LR pixels.
        hr: Start and stop in HR pixels: where `lr` lies in the result, rounded.
        misfit: How far, in HR pixels, the tile's grid is off the image's at its worse end; 0 where the cuts fit.
        weights: One weight per HR pixel of the tile; over all tiles they sum to 1 at every pixel.
    """

    lr: tuple[int, int]
    hr: tuple[int, int]
    misfit: float
    weights: NDArray[np.float64]


_ROUNDING = 1e-9
"""A pixel whose centre lies on a seam belongs to the right, however its position was rounded."""


def plan_axis(length: int, out_length: int, *, tile: int, overlap: int) -> list[Span]:
    """Cover one axis.

    Args:
        length: LR pixels.
        out_length: HR pixels.
        tile: Longest tile in LR pixels, at least 2 * overlap.
        overlap: Least overlap of neighbours in LR pixels. Its outer quarters count for nothing, so border effects up to
            overlap / 4 vanish; its middle half is feathered.
    Returns:
        The tiles from first to last; one for the whole axis where it fits.
    Raises:
        ValueError: a tile shorter than twice the overlap, or below 2.
    """
    if tile < max(2 * overlap, 2) or overlap < 0:
        raise ValueError(f"expected a tile of at least twice the overlap and of 2 pixels, got {tile} and {overlap}")
    ratio = out_length / length
    cuts = _cuts(length, ratio, tile, overlap)
    centres = (np.arange(out_length, dtype=np.float64) + 0.5) / ratio
    # A rise is 0 left of its seam and 1 right of it: a tile is what the seam before it has let in and the seam after
    # it has not yet handed on.
    rises = [_rise(centres, (stop + start) / 2, overlap / 2) for (_, stop), (start, _) in pairwise(cuts)]
    places = [(_pixel(start * ratio), _pixel(stop * ratio)) for start, stop in cuts]
    weights = [np.ones(last - first) for first, last in places]
    for index, rise in enumerate(rises):
        weights[index] *= 1 - rise[slice(*places[index])]
        weights[index + 1] *= rise[slice(*places[index + 1])]
    total = np.zeros(out_length)
    for place, share in zip(places, weights, strict=True):
        total[slice(*place)] += share
    return [
        Span(cut, place, round(max(abs(place[k] - cut[k] * ratio) for k in (0, 1)), 9), share / total[slice(*place)])
        for cut, place, share in zip(cuts, places, weights, strict=True)
    ]


def _cuts(length: int, ratio: float, tile: int, overlap: int) -> list[tuple[int, int]]:
    slack = (tile - overlap) // 4
    cuts = [(0, min(tile, length))]
    while cuts[-1][1] < length:
        begin, end = cuts[-1]
        stop = _fitting(range(end, end - slack - 1, -1), ratio)
        cuts[-1] = (begin, stop)
        latest = stop - overlap
        if latest - slack + tile >= length:  # the last tile: of full length, so that it has its context too
            low, high = length - tile, min(length - tile + slack, latest)
            start = _fitting(range(low, max(high, low) + 1), ratio)
        else:
            start = _fitting(range(latest, max(latest - slack, begin + 1) - 1, -1), ratio)
        cuts.append((start, min(start + tile, length)))
    return cuts


def _pixel(position: float) -> int:
    """The first HR pixel whose centre lies at or after a position."""
    return math.ceil(position - 0.5 - _ROUNDING)


def _fitting(candidates: range, ratio: float) -> int:
    """The candidate whose HR position is nearest to a whole pixel; the first of equals."""
    return min(candidates, key=lambda cut: round(abs(cut * ratio - round(cut * ratio)), 9))


def _rise(centres: NDArray[np.float64], seam: float, width: float) -> NDArray[np.float64]:
    if width == 0:
        return (centres >= seam - _ROUNDING).astype(np.float64)  # as `_pixel` decides
    return np.clip((centres - seam) / width + 0.5, 0, 1)
