"""Cells, units and records: what is computed, what is stored of it, and the columns of the exports.

A stored unit has an identity beyond its names: short hashes of what made it (`origin`) and of what it was made from
(`source`). No mean covers two of either.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from bench.api.scale import Scale

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
    "origin",
    "source",
    "seconds",
    "height",
    "width",
)
"""Columns of records.csv, long form: one row per unit and metric. `origin` names the code, weights and options that
made the image, `source` the bytes of the image files behind it, `seconds` is the method's time, `height` and `width`
are the SR image's."""
LATER_COLUMNS = frozenset({"height", "width"})
"""Those that files of earlier versions lack."""

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
    "origin",
    "source",
    "note",
    "doubt",
)
"""Columns of summary.csv: `mean` is empty unless n is what the plan expects; `note` says why. `source` names the set of
images by its content: means of one `source` are over the same images. `doubt` says why a number means little."""

NO_VARIANT = "-"
"""An empty variant in CSV files, where an empty field would be read as a missing one."""


class UnitStatus(StrEnum):
    """How a unit or one of its metrics ended; stale: it is there, but of another origin or source than planned."""

    OK = "ok"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    STALE = "stale"


@dataclass(frozen=True, order=True)
class CellId:
    """A cell: (method variant, dataset, scale, seed); the protocol stands beside it in the signatures."""

    method: str
    variant: str
    dataset: str
    scale: Scale
    seed: int


def _number(value: object) -> object:
    """A stored value: JSON has no infinity, and `true` is no number."""
    if isinstance(value, bool):
        raise ValueError("expected a number, seen true or false")
    return {"inf": math.inf, "-inf": -math.inf}.get(value, value) if isinstance(value, str) else value


def _stored_path(value: object) -> object:
    """A path that a record may name: below the run folder's images/. A record never decides where is written."""
    if isinstance(value, str):
        parts = PurePosixPath(value).parts
        good = len(parts) > 1 and parts[0] == "images" and ".." not in parts and len(value) < 4096 and "\0" not in value
        if not good:
            raise ValueError(f"expected a path below images/, seen {value[:80]!r}")
    return value


def _spelt(value: float | None) -> float | str | None:
    """A value as JSON takes it, see `_number`."""
    if value is None or not math.isinf(value):
        return value
    return "inf" if value > 0 else "-inf"


@dataclass(frozen=True)
class Score:
    """One stored number with its key and signature; without a key it is no result, only a fault to tell of."""

    metric: str
    value: Annotated[float | None, BeforeValidator(_number)]
    signature: str
    key: str
    reason: str = ""


@dataclass(frozen=True)
class Output:
    """What is known of a stored SR image.

    Attributes:
        key: Hash of everything that can change the image.
        path: Relative to the run folder, below images/.
        sha256: Of the stored pixels.
        size: (height, width).
        depth: Bits per channel of the stored file (8 or 16).
        lr_sha256: Of the LR pixels that the method was given.
        tile: LR tile side, None where the image went through whole.
        seconds: Model time.
    """

    key: str
    path: Annotated[str, BeforeValidator(_stored_path)]
    sha256: str
    size: tuple[int, int]
    depth: int
    lr_sha256: str
    tile: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Record:
    """Everything stored of one unit under one output key: one line of a record file.

    Attributes:
        cell: Which cell it is of.
        image: Image id, `*` for a value of the whole set.
        status: How it ended.
        output: The SR image; None where there is none.
        scores: Numbers made of it.
        error: Why the unit failed.
        pair: Pair id of the protocol: how HR and LR were made.
        origin: Short hash of the code, weights and options behind the image; empty in records of old run folders.
        source: Short hash of the image files behind it, HR and LR joined by "+".
        file: Short hash of a file of this image's own that the method read (a precomputed result); else empty.
    """

    cell: CellId
    image: str
    status: UnitStatus
    output: Output | None = None
    scores: tuple[Score, ...] = field(default=())
    error: str = ""
    pair: str = ""
    origin: str = ""
    source: str = ""
    file: str = ""

    def to_json(self) -> str:
        """The record as one line of JSON, without the line's end."""
        # `asdict` copies every value of every field, which would be a quarter of what a small image costs
        values = vars(self) | {
            "cell": vars(self.cell),
            "output": None if self.output is None else vars(self.output),
            "scores": [vars(score) | {"value": _spelt(score.value)} for score in self.scores],
        }
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str)

    @staticmethod
    def from_json(line: str | bytes) -> Record:
        """Read a line; keys of newer versions are passed over.

        Raises:
            ValueError: not a record; says which field is of another kind than expected.
        """
        try:
            return _adapter().validate_json(line, strict=True)
        except ValidationError as fault:
            raise ValueError(first_fault(fault)) from None


def first_fault(fault: ValidationError) -> str:
    """The first fault that pydantic found, on one line: where, what was expected."""
    found: Any = fault.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else str(found["msg"])


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
