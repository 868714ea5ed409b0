"""What a row costs: parameters of its network, seconds and megapixels of its images, as far as they were recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.api import MethodSpec, RequestError, RowInfo, weights_label
from bench.plugins import method_spec
from bench.weights.card import WeightsCard

CellKey = tuple[str, str, str, float]
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


def parameters(row: RowInfo) -> int | None:
    """The number of a row's parameters: by the card of its shipped weights, else by its method; None where nobody says.

    A user's own weights may be of another architecture than the method's.
    """
    spec = registered_spec(row.method)
    if spec is None:
        return None
    card = shipped_card(spec.weights.get(weights_label(row.variant)))
    if card is not None:
        return card.parameters or None
    return None if row.weights_file else spec.info.parameters


def registered_spec(method: str) -> MethodSpec | None:
    """The registered method; None for one that this installation does not have."""
    with suppress(RequestError):
        return method_spec(method)
    return None


def shipped_card(weights: Path | None) -> WeightsCard | None:
    """The card beside weights; None where there is none that can be read."""
    if weights is None or not weights.with_suffix(".json").is_file():
        return None
    with suppress(OSError, ValueError):
        return WeightsCard.model_validate_json(weights.with_suffix(".json").read_text(encoding="utf-8"))
    return None
