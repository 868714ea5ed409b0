"""Cells, units and records: what is computed, what is stored of it, and the columns of the exports."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

RECORD_COLUMNS = (
    "method",
    "variant",
    "dataset",
    "image",
    "scale",
    "seed",
    "metric",
    "value",
    "unit_status",
    "signature",
)
"""Columns of records.csv, long form: one row per unit and metric."""

SUMMARY_COLUMNS = (
    "method",
    "variant",
    "dataset",
    "scale",
    "metric",
    "mean",
    "seed_sd",
    "n",
    "expected",
    "failed",
    "seeds",
    "signature",
    "note",
)
"""Columns of summary.csv: `mean` is empty for an incomplete cell (n < expected); `note` says why."""


class UnitStatus(StrEnum):
    """How a unit or one of its metrics ended."""

    OK = "ok"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, order=True)
class CellId:
    """A cell: (method variant, dataset, scale, seed); the protocol stands beside it in the signatures."""

    method: str
    variant: str
    dataset: str
    scale: float
    seed: int


@dataclass(frozen=True)
class Score:
    """One stored number with its key and signature."""

    metric: str
    value: float | None
    signature: str
    key: str
    reason: str = ""


@dataclass(frozen=True)
class Output:
    """What is known of a stored SR image.

    Attributes:
        key: Hash of everything that can change the image.
        path: Relative to the run folder.
        sha256: Of the stored pixels.
        size: (height, width).
        depth: Bits per channel of the stored file (8 or 16).
        lr_sha256: Of the LR pixels that the method was given.
        tile: LR tile side, None where the image went through whole.
        seconds: Model time.
    """

    key: str
    path: str
    sha256: str
    size: tuple[int, int]
    depth: int
    lr_sha256: str
    tile: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Record:
    """Everything stored of one unit under one output key."""

    cell: CellId
    image: str
    status: UnitStatus
    output: Output | None = None
    scores: tuple[Score, ...] = field(default=())
    error: str = ""
