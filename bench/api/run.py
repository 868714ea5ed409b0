"""The run folder as typed records: what run.json says of rows, origins, image sets and cells, and a row of records.csv.

A fact about a row of the table is a field of `RowInfo`; a fact about what a cell must hold is a field of `CellPlan`.
Both are written and read here and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from bench.api.errors import RequestError
from bench.api.method import weights_label
from bench.api.protocol import Protocol
from bench.api.record import CellId, UnitStatus, first_fault, stored_name
from bench.api.scale import Scale

RUN_VERSION = 2
"""Of run.json. Version 1 did not say what an image was made by and from."""


class OldFormat(RequestError):  # noqa: N818 - a state with a way on, not a fault
    """run.json is of an earlier format: its numbers cannot be vouched for, and a run makes them anew."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What made the SR images of a row, as short hashes of its parts; `id` is the hash of all of them.

    Attributes:
        id: What records carry.
        code: The sources that inference runs.
        code_name: What people call that code: a file or a package.
        weights: The weights' content; empty without weights.
        options: All option values, the tile side and the floating type.
        reads: Further files that the method reads (an external program, parts of a pipeline).
        harness: The code of this tool that makes LR images and rounds results.
    """

    id: str
    code: str
    code_name: str
    weights: str = ""
    options: str = ""
    reads: str = ""
    harness: str = ""

    def differences(self, other: Origin) -> tuple[str, ...]:
        """What is different in words, such as ("another up.py", "other weights")."""
        words = {
            "code": f"another {other.code_name}",
            "weights": "other weights",
            "options": "other options",
            "reads": "other files that it reads",
            "harness": "another version of this tool",
        }
        return tuple(text for name, text in words.items() if getattr(self, name) != getattr(other, name))


@dataclass(frozen=True, kw_only=True)
class RowInfo:
    """What tables say of a method variant.

    Attributes:
        method: Registered name.
        variant: How it differs from the bare method; empty where it does not.
        display: The name that tables print.
        minimised: Metrics that were part of its training's loss.
        resize_rule: How a network of fixed scales reaches other sizes; a sentence, empty where it does not apply.
        trained: What its weights are called ("lite", "untrained"); empty for a user's own and for none.
        weights_file: The file name of weights that the user gave, for a note; never a row's name.
        cites: The published file that its weights are, and its publication; empty for other weights.
        train_scales: Smallest and largest scale of the method's training; None where nobody says.
        parameters: Of its networks; None where nobody says.
    """

    method: str
    variant: str
    display: str
    minimised: tuple[str, ...] = ()
    resize_rule: str = ""
    trained: str = ""
    weights_file: str = ""
    cites: str = ""
    train_scales: tuple[float, float] | None = None
    parameters: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(method, variant)."""
        return self.method, self.variant

    @staticmethod
    def bare(method: str, variant: str) -> RowInfo:
        """What can be said of a row that nobody described: its names as they are."""
        display = f"{method} ({variant})" if variant else method
        return RowInfo(method=method, variant=variant, display=display, trained=weights_label(variant))


@dataclass(frozen=True)
class ImageSet:
    """The images of a dataset at some scale, by content.

    Attributes:
        dataset: What the set was called.
        images: id -> short hash of its files: "HR", "HR+LR" for a pair, "+LR" without a reference.
        folder: Where they lay, for messages.
    """

    dataset: str
    images: Mapping[str, str]
    folder: str = ""

    def contradicts(self, other: ImageSet, *, scales_differ: bool = False) -> bool:
        """Whether the two cannot be parts of one set: an image of one name has other bytes, or no name is shared.

        Args:
            other: A set of the same name.
            scales_differ: LR files, and HR files of pairs, may differ from scale to scale.
        """
        shared = self.images.keys() & other.images.keys()
        if not shared:
            return bool(self.images) and bool(other.images)
        pairs = [(self.images[image], other.images[image]) for image in shared]
        if scales_differ:
            pairs = [(a, b) for a, b in pairs if "+" not in a and "+" not in b]
        return any(a != b for a, b in pairs)


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """What a cell must hold, as planned last; an export reads a unit only if it agrees with this.

    Attributes:
        cell: Which cell.
        folder: Its method folder below records/ and images/.
        pair: Pair id of the protocol at this scale.
        origin: Id of the `Origin` of its images.
        images: Id of its `ImageSet`.
        files: image id -> short hash of a file of its own that the method reads; empty for most methods.
        metrics: Every metric that was asked for.
        signatures: signature -> metric, for those that are measured image by image.
        crossing: The same for metrics of whole sets and across scales.
        apart: Metrics that do not apply to these images (no reference).
    """

    cell: CellId
    folder: Annotated[str, BeforeValidator(stored_name)]
    pair: str
    origin: str
    images: str
    files: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    signatures: Mapping[str, str] = field(default_factory=dict)
    crossing: Mapping[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[CellId, str]:
        """What a plan is of: a cell under one way of making HR and LR."""
        return self.cell, self.pair


@dataclass(frozen=True, kw_only=True)
class RunManifest:
    """run.json.

    Attributes:
        version: RUN_VERSION.
        request: The newest request as `--config` takes it.
        command: The newest command line.
        environment: Packages, git commit and machine of the newest run.
        rows: What tables say of each method variant, in the order in which they came.
        origins: id -> origin, those of older images included.
        sets: id -> images.
        cells: The newest plan of every cell.
        unavailable: metric -> why it could not be had in the newest run.
        protocols: signature -> names of the protocols that give it.
        made_under: The protocols themselves, so that HR and LR can be made again without the file that named one; the
            newest last, as they are before a seed's draws.
        warnings: heading -> what made numbers doubtful.
        merged: Names of the run folders that were merged into this one, with their environments.
    """

    version: int = RUN_VERSION
    request: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[RowInfo, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    sets: Mapping[str, ImageSet] = field(default_factory=dict)
    cells: tuple[CellPlan, ...] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    made_under: tuple[Protocol, ...] = ()
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    merged: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of run.json."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, default=str) + "\n"

    @staticmethod
    def from_json(text: str | bytes, where: str) -> RunManifest:
        """Read run.json.

        Args:
            text: Its content.
            where: The file, for messages.
        Raises:
            RequestError: damaged (says where), or of an earlier or a later version (says what to do).
        """
        try:
            version = _version_adapter().validate_json(text).get("version")
            if version != RUN_VERSION:
                raise _other_version(version, text, where)
            manifest = _adapter().validate_json(text, strict=True)
            manifest._check()
        except ValidationError as fault:
            raise RequestError(_damaged(where, first_fault(fault))) from None
        except ValueError as fault:
            raise RequestError(_damaged(where, str(fault))) from None
        return manifest

    def _check(self) -> None:
        for plan in self.cells:
            if plan.images not in self.sets or plan.origin not in self.origins:
                raise ValueError(f"the plan of {plan.cell} names an origin or a set that is not listed")

    def row(self, method: str, variant: str) -> RowInfo:
        """What tables say of a method variant; its bare names where the file does not know it."""
        for info in self.rows:
            if info.key == (method, variant):
                return info
        return RowInfo.bare(method, variant)


class RecordRow(NamedTuple):
    """One row of records.csv with RECORD_COLUMNS; a tuple, since a folder has hundreds of thousands."""

    method: str
    variant: str
    dataset: str
    image: str
    scale: Scale
    seed: int
    metric: str
    value: float | None
    unit_status: UnitStatus
    signature: str
    origin: str = ""
    source: str = ""
    seconds: float | None = None
    height: int | None = None
    width: int | None = None


_ORDER = ("method", "variant", "dataset", "scale", "seed", "image", "metric", "signature")
row_order = itemgetter(*map(RecordRow._fields.index, _ORDER))
"""The order of records.csv, as a key for sorting rows."""


def merged_names(old: Mapping[str, Iterable[str]], new: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Two mappings to names as one: the names of both, old ones first."""
    keys = dict.fromkeys([*old, *new])
    return {key: tuple(dict.fromkeys([*old.get(key, ()), *new.get(key, ())])) for key in keys}


def _damaged(where: str, fault: str) -> str:
    return f"{where} is damaged ({fault}); move it away and run again with the same --out: the images are kept"


def _other_version(version: object, text: str | bytes, where: str) -> RequestError:
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        return RequestError(_damaged(where, "it says no version"))
    if version > RUN_VERSION:
        return RequestError(
            f"{where} was written by a later version of assr-bench (format {version}, this one reads {RUN_VERSION}); "
            "upgrade, or choose another folder with --out"
        )
    command = ""
    with suppress(ValueError, AttributeError, RecursionError):
        command = str(json.loads(text).get("request", {}).get("command", ""))
    return OldFormat(
        f"{where} was written by an earlier version (format {version}), which did not store what code, weights and "
        "files an image is of, so nobody can vouch for its means; type its command again with the same --out to "
        "convert it" + (f": {command}" if command else "")
    )


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[RunManifest]:
    return TypeAdapter(RunManifest)


@lru_cache(maxsize=1)
def _version_adapter() -> TypeAdapter[dict[str, Any]]:
    return TypeAdapter(dict[str, Any])
