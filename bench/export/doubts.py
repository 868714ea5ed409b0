"""Doubtful numbers of runs, as the summary knows them, by what an exported number is called."""

from __future__ import annotations

from typing import Any

from bench.analysis import RunFrames
from bench.api import MetricRef, RequestError

DoubtKey = tuple[str, str, str, float, str]
"""(method, variant, dataset, scale, metric); the metric without a reference scale."""


def find_doubts(frames: RunFrames) -> dict[DoubtKey, str]:
    """What makes numbers doubtful: number -> sentences, without those of which there is nothing to say.

    Args:
        frames: The runs.
    Raises:
        RequestError: numbers of images whose size is not recorded, so that nobody can say whether they are too small.
    """
    records = frames.records
    unknown = records.loc[records["value"].notna() & records["height"].isna()]
    if not unknown.empty:
        raise RequestError(
            f"{len(unknown)} records do not say how large their images are (the first: {unknown['image'].iloc[0]}), so "
            "nobody can say whether these are too small for their numbers; export from the run folder itself, records/ "
            "and all"
        )
    found: dict[DoubtKey, dict[str, None]] = {}
    doubtful = frames.summary.loc[frames.summary["doubt"].fillna("") != ""]
    for line in doubtful.itertuples(index=False):
        found.setdefault(_key(line), {})[str(line.doubt)] = None
    return {key: "; ".join(sentences) for key, sentences in found.items()}


def _key(line: Any) -> DoubtKey:
    return line.method, line.variant, line.dataset, float(line.scale), MetricRef.parse(line.metric).name
