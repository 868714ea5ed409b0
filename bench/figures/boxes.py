"""Rules that choose what a figure of crops shows: an image, and the box on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.api import Size
from bench.figures.pictures import U8, Box


def disagreement(results: Sequence[U8], reference: U8) -> NDArray[np.float64]:
    """How far the methods are apart, pixel by pixel.

    Args:
        results: What each made, (H, W, 3).
        reference: Stands beside a single result: HR, or the enlarged LR image.
    Returns:
        (H, W): the standard deviation over the results in levels, averaged over the channels.
    """
    shown = list(results) if len(results) > 1 else [*results, reference]
    stack = np.stack([image.astype(np.float32) for image in shown])
    return stack.std(axis=0, dtype=np.float64).mean(axis=-1)


def widest_disagreement(apart: NDArray[np.float64], size: Size) -> tuple[Box, float]:
    """The box of this (height, width) in which the methods are furthest apart, and how far they are on average.

    Of equal ones the first from the top left. A side that is longer than the image is the image's.
    """
    height, width = min(size[0], apart.shape[0]), min(size[1], apart.shape[1])
    sums = cv2.integral(apart)
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    # rounded, so that the order of summation does not decide between equal boxes
    y, x = np.unravel_index(int(np.argmax(np.round(inside, 6))), inside.shape)
    return Box(int(x), int(y), width, height), float(inside[y, x]) / (height * width)


def spread_images(values: Mapping[str, float], count: int) -> list[str]:
    """Images at even ranks of a metric: the median one for a count of 1, else one from the middle of each of so many
    equal parts of the order, from the lowest value to the highest. Equal values are ordered by name."""
    order = sorted(values, key=lambda image: (values[image], image))
    count = min(count, len(order))
    return [order[int((part + 0.5) / count * len(order))] for part in range(count)]
