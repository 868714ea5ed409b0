"""The run folder: append-only records, images, run.json and the lock.

One writer appends a line per finished unit and flushes it; a torn last line (kill -9, full disk) is dropped when the
file is opened again. Every other file is written under a temporary name and renamed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from bench.api import CellId, Output, Record, RequestError, Score, UnitStatus, format_scale
from bench.imaging.atomic import atomic_write


@dataclass(frozen=True)
class CellFolder:
    """Where a cell lies: the names of its folders, safe for any file system."""

    cell: CellId
    method_folder: str

    @property
    def stem(self) -> str:
        """`x<scale>-s<seed>`."""
        return f"x{format_scale(self.cell.scale)}-s{self.cell.seed}"

    @property
    def parts(self) -> tuple[str, str]:
        """(method folder, dataset folder)."""
        return self.method_folder, self.cell.dataset


@dataclass
class StoredUnit:
    """What the records say of one image of a cell under one pair half (one way of making HR and LR)."""

    image: str
    pair: str
    status: UnitStatus
    output: Output | None
    scores: dict[str, Score] = field(default_factory=dict)
    error: str = ""


class Store:
    """A run folder opened for one writer.

    Raises:
        RequestError: the folder cannot be written, another run is using it, or a record file is damaged.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(out / ".lock", timeout=0)
            self._lock.acquire()
        except Timeout:
            raise RequestError(
                f"another run is writing to {out}; wait for it to end, or choose another folder with --out"
            ) from None
        except OSError as fault:
            raise RequestError(
                f"cannot write to the run folder {out}: {fault.strerror or fault}; choose another with --out DIR"
            ) from None
        self._streams: dict[Path, IO[bytes]] = {}

    def close(self) -> None:
        """Close the record files and release the lock."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def records_path(self, where: CellFolder) -> Path:
        """The record file of a cell."""
        return self.out.joinpath("records", *where.parts, f"{where.stem}.jsonl")

    def units(self, where: CellFolder) -> dict[tuple[str, str], StoredUnit]:
        """What is stored of a cell: (image, pair) -> unit, the newest output of each."""
        return fold_records(read_records(self.records_path(where)))

    def append(self, where: CellFolder, record: Record, *, pair: str) -> None:
        """Add one line and flush it.

        Raises:
            RequestError: the disk refuses (full, read-only, gone); everything written before stays.
        """
        path = self.records_path(where)
        line = json.dumps(_to_json(record, pair), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            if path not in self._streams:
                path.parent.mkdir(parents=True, exist_ok=True)
                _drop_torn_tail(path)
                self._streams[path] = path.open("ab", buffering=0)
            start = path.stat().st_size
            if self._streams[path].write(line) != len(line):
                self._streams[path].truncate(start)
                raise OSError("the disk took only part of the line")
        except OSError as fault:
            raise cannot_write(path, fault) from None

    def image_path(self, where: CellFolder, image: str, pair: str, taken: set[str]) -> Path:
        """Where the SR image of a unit goes, relative to the run folder.

        The first way of making LR seen in a cell (`pair`) gets the plain folder; others get one with the pair's name.

        Args:
            where: The cell.
            image: Image id.
            pair: Pair id of the unit.
            taken: Pair ids that already use the plain folder of this cell.
        """
        plain = not taken or pair in taken
        folder = where.stem if plain else f"{where.stem}~{pair[:8]}"
        return Path("images", *where.parts, folder, f"{image}.png")

    def read_json(self) -> dict[str, Any]:
        """run.json, empty where there is none yet."""
        path = self.out / "run.json"
        if not path.exists():
            return {}
        try:
            return _run_values(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as fault:
            raise RequestError(
                f"{path} is damaged ({fault}); move it away and run again, the records are kept"
            ) from None

    def write_json(self, values: dict[str, Any]) -> None:
        """Replace run.json.

        Raises:
            RequestError: the disk refuses; the old file stays.
        """
        path = self.out / "run.json"
        try:
            with atomic_write(path) as stream:
                json.dump(values, stream, indent=1, ensure_ascii=False, default=str)
                stream.write("\n")
        except OSError as fault:
            raise cannot_write(path, fault) from None

    def all_units(self) -> Iterator[tuple[CellId, StoredUnit]]:
        """Everything stored in the folder, sorted by path."""
        for path in sorted((self.out / "records").glob("*/*/*.jsonl")):
            lines = read_records(path)
            for unit in fold_records(lines).values():
                yield lines[0][0].cell, unit


def cannot_write(path: Path, fault: OSError) -> RequestError:
    """The error for a disk that refuses."""
    return RequestError(
        f"cannot write {path}: {fault.strerror or fault}; free some space (or mend what is in the way) and type the "
        "same command again: finished work is kept"
    )


def _run_values(values: Any) -> dict[str, Any]:
    """run.json as it must be for what is read of it.

    Raises:
        ValueError: another shape; says where.
    """
    if not isinstance(values, dict):
        raise ValueError(f"expected an object, seen {type(values).__name__}")
    kinds = {"expected": list, "signatures": dict, "displays": dict, "minimised": dict, "warnings": dict}
    for key, kind in kinds.items():
        if not isinstance(values.get(key, kind()), kind):
            raise ValueError(f"'{key}' is of another kind than expected")
    return values


def read_records(path: Path) -> list[tuple[Record, str]]:
    """All records of a file with their pair ids; a torn last line is ignored.

    Raises:
        RequestError: a line in the middle is not a record (says which).
    """
    if not path.exists():
        return []
    found = []
    text = path.read_bytes()
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            found.append(_from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError) as fault:
            raise RequestError(
                f"{path}, line {number}: expected a record, seen {line[:40]!r} ({type(fault).__name__}: {fault}); "
                "delete that line (its unit is computed again) or move the file away, then run again"
            ) from None
    return found


def fold_records(records: list[tuple[Record, str]]) -> dict[tuple[str, str], StoredUnit]:
    """Merge lines: the newest output of each (image, pair) wins, scores of the same output add up."""
    units: dict[tuple[str, str], StoredUnit] = {}
    for record, pair in records:
        slot = (record.image, pair)
        old = units.get(slot)
        # a result that was computed again in 16 bit for an unrounded protocol keeps its 8-bit scores: they are the same
        same = (
            old is not None
            and old.output is not None
            and record.output is not None
            and old.output.key == record.output.key
        )
        if old is not None and same:
            old.scores.update({score.key: score for score in record.scores})
            old.output, old.error = record.output, record.error
            # numbers of an image outlive the failure of a later metric on it
            old.status = UnitStatus.OK if old.scores else record.status
        else:
            scores = {score.key: score for score in record.scores}
            units[slot] = StoredUnit(record.image, pair, record.status, record.output, scores, record.error)
    return units


def _drop_torn_tail(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as stream:
        text = stream.read()
        end = text.rfind(b"\n") + 1
        if end != len(text):
            stream.truncate(end)


def _to_json(record: Record, pair: str) -> dict[str, Any]:
    values = asdict(record)
    values["status"] = record.status.value
    values["pair"] = pair
    for score in values["scores"]:
        if score["value"] is not None and math.isinf(score["value"]):
            score["value"] = "inf"
    return values


def _from_json(values: dict[str, Any]) -> tuple[Record, str]:
    output = values["output"]
    if output is not None:
        output = replace(Output(**output), size=tuple(output["size"]))
    scores = tuple(
        Score(**{**score, "value": None if score["value"] is None else float(score["value"])})
        for score in values["scores"]
    )
    record = Record(
        cell=CellId(**values["cell"]),
        image=values["image"],
        status=UnitStatus(values["status"]),
        output=output,
        scores=scores,
        error=values["error"],
    )
    return record, values["pair"]
