"""Methods that cannot be told from the best of their column, image by image."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from bench.analysis.pairing import ImageValue, paired
from bench.analysis.significance import LEVEL, adjusted_ps, compare_values
from bench.api import Direction, Scale

Row = TypeVar("Row", bound=Hashable)


def tied_with_best(
    best: Mapping[str, ImageValue],
    others: Mapping[Row, Mapping[str, ImageValue]],
    direction: Direction,
    *,
    dataset: str,
    scale: Scale,
) -> set[Row] | None:
    """The others whose difference from the best is not certain, after Holm's correction over all of them.

    Args:
        best: Values of the best by its mean, image by image.
        others: Those of the other methods, over the same images.
        direction: Which way the metric is better.
        dataset, scale: For messages.
    Returns:
        None where there are too few images to tell any two methods apart.
    Raises:
        RequestError: images of one name were made from different files.
    """
    found = []
    for values in others.values():
        pairs = paired(values, best, dataset, scale).values()
        found.append(compare_values([a for a, _ in pairs], [b for _, b in pairs], direction))
    if any(each.p is None for each in found):
        return None
    return {row for row, p in zip(others, adjusted_ps(found), strict=True) if p is not None and p > LEVEL}
