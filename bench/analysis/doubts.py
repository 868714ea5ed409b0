"""Which numbers of a summary are doubtful, and why: the one place that decides it; writers print what stands here."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

import pandas as pd

from bench.api import MetricRef, RequestError, Scale, Signature, factors, shave_pixels, size_doubts, unit_doubts
from bench.api.sizes import Border
from bench.metrics.catalog import metric_info

_CELL = ["method", "variant", "dataset", "scale"]
_Size = tuple[int, int]


class Doubts:
    """The sizes of a run's SR images, from which follows what a number of them is worth."""

    def __init__(self, records: pd.DataFrame) -> None:
        """Args: records: RECORD_COLUMNS; rows without height and width say nothing."""
        sized = records.loc[records["height"].notna(), [*_CELL, "image", "height", "width"]].drop_duplicates()
        counts = sized.groupby([*_CELL, "height", "width"], sort=False).size().reset_index()
        self._sizes: dict[tuple[str, str, str, Scale], dict[_Size, int]] = {}
        for method, variant, dataset, scale, height, width, number in counts.itertuples(index=False, name=None):
            sizes = self._sizes.setdefault((method, variant, dataset, scale), {})
            sizes[int(height), int(width)] = int(number)

    def of(self, cell: tuple[str, str, str, Scale], metric: str, signature: str, *, scored: bool) -> str:
        """Why a number is doubtful; empty where nothing is known against it.

        Args:
            cell: (method, variant, dataset, scale).
            metric: Its name.
            signature: How the number was made, or would have been.
            scored: Whether there is a number; without one only the sizes that its metric needs are spoken of.
        """
        sizes = self._sizes.get(cell, {})
        reasons: Counter[str] = Counter()
        for size, number in sizes.items():
            reasons.update(dict.fromkeys(_reasons(size, cell[3], metric, signature, scored), number))
        total = sum(sizes.values())
        return "; ".join(f"{text} ({n} of {total} images)" if n < total else text for text, n in reasons.items())


@lru_cache(maxsize=4096)
def _reasons(sr: _Size, scale: Scale, metric: str, signature: str, scored: bool) -> tuple[str, ...]:
    """What is doubtful of one image's number."""
    try:
        infos = [metric_info(MetricRef.parse(metric).name)]
    except RequestError:  # nobody registered it here
        infos = []
    sides = size_doubts(sr, infos)
    if not scored:
        return tuple(sides)
    # the sizes of LR are not stored; every size rule gives SR within a pixel of scale times LR
    lr = (round(sr[0] / factors(scale)[0]), round(sr[1] / factors(scale)[1]))
    return (*unit_doubts(lr=lr, hr=sr, shave=_shave(signature, scale)), *sides)


def _shave(signature: str, scale: Scale) -> Border:
    """The border that a number ignores; 0 where its signature says none."""
    rule = Signature.parse(signature).value("shave") or "0"
    try:
        return int(rule) if rule.isdecimal() else shave_pixels(rule, scale)  # type: ignore[arg-type]
    except KeyError:  # a rule of a later version
        return 0
