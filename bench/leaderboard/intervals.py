"""Confidence intervals of the means of a run: Student's t over images, each image's value being its mean over seeds.

Only plain means have one: an aggregation such as the dB of a mean error is no mean of single values.
"""

from __future__ import annotations

import math

import pandas as pd

from bench.analysis.aggregate import SET_IMAGE
from bench.analysis.crossscale import over_references
from bench.analysis.significance import student_half_width
from bench.api import PLAIN, Scale, Signature, UnitStatus

MeanKey = tuple[str, str, str, Scale, str, str]
"""(method, variant, dataset, scale, metric, signature)."""
_MEAN = ["method", "variant", "dataset", "scale", "metric", "signature"]


def mean_intervals(records: pd.DataFrame) -> dict[MeanKey, tuple[float, float]]:
    """The 95 % interval of every mean over at least two images.

    Args:
        records: RECORD_COLUMNS.
    Returns:
        (low, high); nothing for sets of one image, infinite values and other aggregations.
    """
    units = pd.concat([records, over_references(records)], ignore_index=True)
    good = (units["unit_status"] == UnitStatus.OK) & units["value"].notna() & (units["image"] != SET_IMAGE)
    units = units.loc[good].drop_duplicates([*_MEAN, "image", "seed"], keep="last")
    plain = {s: Signature.parse(s).averaging.aggregation == PLAIN for s in units["signature"].unique()}
    units = units.loc[units["signature"].map(plain).astype(bool)]
    if units.empty:
        return {}
    images = units.groupby([*_MEAN, "image"], sort=False)["value"].mean().reset_index()
    found = images.groupby(_MEAN, sort=False)["value"].agg(["mean", "std", "count"])
    intervals: dict[MeanKey, tuple[float, float]] = {}
    for key, (mean, sd, count) in zip(found.index, found.itertuples(index=False, name=None), strict=True):
        if count < 2 or not math.isfinite(mean) or not math.isfinite(sd):
            continue
        half = student_half_width(sd, count)
        intervals[key] = (mean - half, mean + half)
    return intervals
