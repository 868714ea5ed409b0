"""What the rows of a run cost: the method's seconds per image, and the parameters of its networks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench.analysis.frames import RunFrames

_CELL = ["method", "variant", "dataset", "scale"]


def cell_seconds(records: pd.DataFrame) -> Mapping[tuple[str, str, str, float], float]:
    """(method, variant, dataset, scale) -> the method's mean seconds per image, over seeds."""
    timed = records.loc[records["seconds"].notna()]
    units = timed.drop_duplicates([*_CELL, "image", "seed"])
    found = units.groupby(_CELL, sort=False)["seconds"].mean()
    return {key: float(value) for key, value in zip(found.index, found.to_numpy(), strict=True)}


def with_costs(frame: pd.DataFrame, frames: RunFrames) -> pd.DataFrame:
    """A frame of a run with two more columns at its end, empty where nobody knows.

    Args:
        frame: Records or means of `frames`.
        frames: The run.
    Returns:
        `seconds`, the mean per image of a cell, where the frame has none of its own; `parameters` of the row.
    """
    added = {}
    if "seconds" not in frame.columns:
        seconds = cell_seconds(frames.records)
        cells = zip(*(frame[name] for name in _CELL), strict=True)
        added["seconds"] = pd.Series([seconds.get(cell) for cell in cells], index=frame.index, dtype=float)
    known = {row.key: row.parameters for row in frames.rows}
    keys = zip(frame["method"], frame["variant"], strict=True)
    added["parameters"] = pd.Series([known.get(key) for key in keys], index=frame.index, dtype="Int64")
    return frame.assign(**added)
