"""The values of a row image by image, and which of two rows' images may be compared.

Values are averaged over seeds per image first, since images and not draws are what a claim is about. Two images pair
only where they were made from the same files and are scored in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from bench.analysis.aggregate import SET_IMAGE
from bench.analysis.crossscale import over_references
from bench.analysis.frames import RunFrames
from bench.api import PLAIN, RECORD_COLUMNS, RequestError, Scale, Signature, UnitStatus, format_times

PairKey = tuple[str, str, str, Scale, str, str]
"""(method, variant, dataset, scale, metric, signature)."""

_KEY = ["method", "variant", "dataset", "scale", "metric", "signature"]


@dataclass(frozen=True)
class ImageValue:
    """The value of one image: the mean of its seeds, and the short hash of the files behind it."""

    value: float
    source: str


@dataclass(frozen=True)
class ImageValues:
    """Values image by image of a run.

    Attributes:
        records: RECORD_COLUMNS.
        seeds: Cell -> how many seeds are planned; one that has not begun has no record.
    """

    records: pd.DataFrame
    seeds: Mapping[PairKey, int] = field(default_factory=dict)

    @staticmethod
    def of(frames: RunFrames) -> ImageValues:
        """Those of a run, with the means over reference scales of cross-scale metrics."""
        records = frames.records.loc[:, list(RECORD_COLUMNS)]
        crossed = over_references(records)
        planned = frames.summary[[*_KEY, "seeds"]].itertuples(index=False, name=None)
        return ImageValues(
            pd.concat([records, crossed], ignore_index=True) if len(crossed) else records,
            {(m, v, d, s, metric, signature): int(n) for m, v, d, s, metric, signature, n in planned},
        )

    @cached_property
    def _groups(self) -> Mapping[PairKey, pd.DataFrame]:
        images = self.records.loc[self.records["image"] != SET_IMAGE]
        return {
            (m, v, d, s, metric, signature): group
            for (m, v, d, s, metric, signature), group in images.groupby(_KEY, sort=False)  # type: ignore[misc]
        }

    def cell(self, key: PairKey) -> dict[str, ImageValue]:
        """image -> value, of the images that have one for every planned seed of the cell; sorted by image."""
        group = self._groups.get(key)
        if group is None:
            return {}
        seeds = max(group["seed"].nunique(), self.seeds.get(key, 0))
        good = group.loc[(group["unit_status"] == UnitStatus.OK) & group["value"].notna()]
        good = good.drop_duplicates(["image", "seed"], keep="last")
        means = good.groupby("image", sort=True).agg(
            value=("value", "mean"), seeds=("seed", "nunique"), source=("source", "first")
        )
        return {
            str(image): ImageValue(float(value), str(source))
            for image, value, count, source in means.itertuples(name=None)
            if count == seeds
        }


def paired(
    first: Mapping[str, ImageValue], second: Mapping[str, ImageValue], dataset: str, scale: Scale
) -> dict[str, tuple[float, float]]:
    """image -> both values, of the images that both rows have.

    Args:
        first, second: Values of one dataset, scale, metric and signature.
        dataset, scale: For messages.
    Raises:
        RequestError: an image of one name was made from other files (names it and both hashes).
    """
    found = {}
    for image in first.keys() & second.keys():
        a, b = first[image], second[image]
        if a.source != b.source:
            raise RequestError(
                f"{dataset} {format_times(scale)}: {image} was made from other files for A ({a.source}) than for B "
                f"({b.source}), so nothing can be paired; run both on the same images, or leave the set out with "
                "--datasets"
            )
        found[image] = (a.value, b.value)
    return dict(sorted(found.items()))


def cannot_pair(signature: str) -> str:
    """Why numbers of a signature say nothing image by image; "" where they do."""
    name = Signature.parse(signature).averaging.aggregation
    return "" if name == PLAIN else f"averaged by '{name}', which has no values of single images"
