"""Cells, units and records: what is computed, what is stored of it, and the columns of the exports.

A stored unit has an identity beyond its names: short hashes of what made it (`origin`) and of what it was made from
(`source`). No mean covers two of either.
"""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator
from pydantic_core.core_schema import CoreConfig

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


def _stays_inside(path: str) -> bool:
    """Whether a relative path names something below its folder, on any system that could read it."""
    plain = 0 < len(path) < 4096 and "\0" not in path and path[0] != "/"
    return plain and (".." not in path or ".." not in path.split("/"))


def stored_name(value: object) -> object:
    """A name of a set or a method's folder, of which paths are made: it must stay in its folder."""
    if isinstance(value, str) and not _stays_inside(value):
        raise ValueError(f"expected the name of a folder, seen {value[:80]!r}")
    return value


@dataclass(frozen=True, order=True, slots=True)
class CellId:
    """A cell: (method variant, dataset, scale, seed); the protocol stands beside it in the signatures."""

    method: str
    variant: str
    dataset: Annotated[str, BeforeValidator(stored_name)]
    scale: Scale
    seed: int


def _infinity(value: object) -> object:
    """An infinite value as it is stored: JSON has none."""
    if value not in ("inf", "-inf"):
        raise ValueError("expected a number")
    return float(str(value))


def is_stored_path(path: str) -> bool:
    """Whether a relative path names something below a run folder's images/."""
    return path.startswith("images/") and _stays_inside(path)


def _stored_path(value: object) -> object:
    """A path that a record may name: below the run folder's images/. A record never decides where is written."""
    if isinstance(value, str) and not is_stored_path(value):
        raise ValueError(f"expected a path below images/, seen {value[:80]!r}")
    return value


def _spelt(value: float | None) -> float | str | None:
    """A value as JSON takes it, see `_number`."""
    if value is None or not math.isinf(value):
        return value
    return "inf" if value > 0 else "-inf"


def _members(of: Any) -> dict[str, Any]:
    """The fields of a dataclass as they are: `asdict` copies every value, a quarter of what a small image costs."""
    return {name: getattr(of, name) for name in of.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Score:
    """One stored number with its key and signature; without a key it is no result, only a fault to tell of."""

    metric: str
    value: float | Annotated[float, BeforeValidator(_infinity)] | None
    signature: str
    key: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
        """The record as one line of JSON that ends with its own check sum, without the line's end."""
        values = _members(self) | {
            "cell": _members(self.cell),
            "output": None if self.output is None else _members(self.output),
            "scores": [_members(score) | {"value": _spelt(score.value)} for score in self.scores],
        }
        text = _dumped(values)[:-1]
        return f'{text}{_CHECK}{zlib.crc32(text.encode()):08x}"}}'

    @staticmethod
    def from_json(line: str | bytes) -> Record:
        """Read a line; keys of newer versions are passed over, and older lines without a check sum are believed.

        Raises:
            ValueError: not a record; says which field is of another kind than expected.
        """
        data = line.encode() if isinstance(line, str) else line
        if data[-_TAIL:][: len(_CHECK)] == _CHECK.encode() and not line_is_checked(data):
            raise ValueError("its check sum does not fit, so it was changed after it was written")
        try:
            return _validator().validate_json(data, strict=True)
        except ValidationError as fault:
            raise ValueError(first_fault(fault)) from None


def line_head(cell: CellId) -> bytes:
    """The bytes that a line of a cell begins with, up to the comma behind the cell."""
    return f'{{"cell":{_dumped(_members(cell))},'.encode()


def line_is_checked(line: bytes) -> bool:
    """Whether a line ends with a check sum that fits."""
    return line.endswith(b'"check":"%08x"}' % zlib.crc32(line[:-_TAIL]))


def unknown_keys(line: bytes) -> tuple[str, ...]:
    """Keys of a line that no record of this version has; empty where the line is no JSON object."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return ()
    known = {*(own.name for own in fields(Record)), "check"}
    return tuple(key for key in values if key not in known) if isinstance(values, dict) else ()


_CHECK = ',"check":"'
"""The last key of a line: CRC-32 of everything before it. It tells damage, it is no seal."""
_TAIL = len(_CHECK) + 10
"""Length of a line's end: that, eight digits, the quote and the brace."""


def _dumped(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=str)


def first_fault(fault: ValidationError) -> str:
    """The first fault that pydantic found, on one line: where, what was expected."""
    found: Any = fault.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}" if where else str(found["msg"])


@lru_cache(maxsize=1)
def _validator() -> SchemaValidator:
    """A reader of records; none of their texts, hashes for the most part, is looked up among earlier ones."""
    return SchemaValidator(TypeAdapter(Record).core_schema, CoreConfig(cache_strings="none"))
