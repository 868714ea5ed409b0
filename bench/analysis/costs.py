"""What a row costs: parameters of its network, seconds and megapixels of its images, as far as they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.analysis.frames import RunFrames
from bench.api import MethodSpec, RowInfo, Scale, weights_label
from bench.registry import METHODS
from bench.weights.beside import card_beside

CellKey = tuple[str, str, str, Scale]
"""(method, variant, dataset, scale)."""
_CELL = ["method", "variant", "dataset", "scale"]


@dataclass(frozen=True)
class Cost:
    """Of one cell.

    Attributes:
        seconds: The method's own, mean over images and seeds.
        per_megapixel: Seconds of all images by the megapixels of all SR images; None where sizes are not recorded.
    """

    seconds: float
    per_megapixel: float | None = None


def cell_costs(records: pd.DataFrame) -> dict[CellKey, Cost]:
    """The costs of every cell that has any image with a time.

    Args:
        records: RECORD_COLUMNS.
    """
    timed = records.loc[records["seconds"].notna()].drop_duplicates([*_CELL, "image", "seed"])
    timed = timed.assign(pixels=(timed["height"] * timed["width"]).astype(float) / 1e6)
    found = timed.groupby(_CELL, sort=False).agg(
        mean=("seconds", "mean"), seconds=("seconds", "sum"), pixels=("pixels", "sum"), sized=("pixels", "count"),
        images=("seconds", "size"),
    )  # fmt: skip
    return {
        key: Cost(float(mean), float(seconds / pixels) if sized == images else None)
        for key, (mean, seconds, pixels, sized, images) in zip(
            found.index, found.itertuples(index=False, name=None), strict=True
        )
    }


def cell_seconds(records: pd.DataFrame) -> Mapping[CellKey, float]:
    """(method, variant, dataset, scale) -> the method's mean seconds per image, over seeds."""
    return {key: cost.seconds for key, cost in cell_costs(records).items()}


def with_cost_columns(frame: pd.DataFrame, frames: RunFrames) -> pd.DataFrame:
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
    known = {row.key: parameters(row) for row in frames.rows}
    keys = zip(frame["method"], frame["variant"], strict=True)
    added["parameters"] = pd.Series([known.get(key) for key in keys], index=frame.index, dtype="Int64")
    return frame.assign(**added)


def parameters(row: RowInfo) -> int | None:
    """The number of a row's parameters, as the run says; in runs that do not say it, as its card or its method does.

    None where nobody says: a user's own weights may be of another architecture than the method's.
    """
    known = METHODS.find(row.method)
    if row.parameters is not None or known is None:
        return row.parameters
    weights = known.weights.get(weights_label(row.variant)) if isinstance(known, MethodSpec) else None
    card = card_beside(weights) if weights is not None else None
    if card is not None:
        return card.parameters or None
    return None if row.weights_file else known.info.parameters
