"""The mean over the images of a cell, made as the signature of its numbers says.

The plain mean holds for every metric, also for one that nobody has registered here. Any other aggregation belongs to
a metric and is found in what it says of itself; where it is not, there is no mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.api import PLAIN, Aggregation, MetricRef, RequestError, Signature
from bench.metrics.catalog import metric_info


def first_images(signature: str) -> float:
    """How many images a number of this signature covers at most; infinite where it does not say."""
    first = Signature.parse(signature).averaging.first
    return math.inf if first is None else first


def no_mean(metric: str, signature: str) -> str:
    """Why numbers of this signature cannot be averaged here; "" where they can."""
    name = Signature.parse(signature).averaging.aggregation
    if name == PLAIN or _aggregation(metric, name) is not None:
        return ""
    return f"its numbers are to be averaged by '{name}', which {metric} does not define here"


def mean_of(metric: str, signature: str, values: Sequence[float]) -> float:
    """The mean of numbers of one signature; NaN without any, and where `no_mean` has a reason.

    Args:
        metric, signature: Of all of them.
        values: In the order of their images' ids.
    """
    name = Signature.parse(signature).averaging.aggregation
    if not values:
        return math.nan
    if name == PLAIN:
        return sum(values) / len(values)
    aggregation = _aggregation(metric, name)
    return math.nan if aggregation is None else aggregation.mean(list(values))


def means(groups: pd.DataFrame, code: NDArray[np.intp], values: NDArray[np.float64], images: NDArray) -> NDArray:
    """The mean of each group of numbers.

    Args:
        groups: One row per group: columns metric and signature.
        code: The group of each number: a row of `groups`.
        values: The numbers.
        images: The image id of each number.
    Returns:
        One mean per group; NaN for a group without numbers and where `no_mean` has a reason.
    """
    count = len(groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.bincount(code, weights=values, minlength=count) / np.bincount(code, minlength=count)
    for group, (metric, signature) in enumerate(zip(groups["metric"], groups["signature"], strict=True)):
        if Signature.parse(signature).averaging.aggregation != PLAIN:
            own = np.flatnonzero(code == group)
            found[group] = mean_of(metric, signature, values[own[np.argsort(images[own], kind="stable")]].tolist())
    return found


def _aggregation(metric: str, name: str) -> Aggregation | None:
    try:
        return metric_info(MetricRef.parse(metric).name).aggregation(name)
    except RequestError:
        return None
