"""A run folder as it is read: run.json, and the records of a cell merged to its units.

Reading takes no lock and writes nothing. What a record says of itself must agree with where it lies.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.api import CellId, Output, Record, RequestError, RunManifest, Score, UnitStatus, format_scale


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
    """What the records say of one image of a cell under one pair half (one way of making HR and LR).

    Attributes:
        image, pair, status, output, error, origin, source, file: Those of the newest record, see `Record`.
        scores: Score key -> score of this output; faults (scores without a key) under their metric and signature.
    """

    image: str
    pair: str
    status: UnitStatus
    output: Output | None
    scores: dict[str, Score] = field(default_factory=dict)
    error: str = ""
    origin: str = ""
    source: str = ""
    file: str = ""


Units = dict[tuple[str, str], StoredUnit]
"""(image, pair) -> unit."""


class RunFolder:
    """A run folder opened for reading."""

    def __init__(self, out: Path) -> None:
        """Args: out: The folder; nothing is read yet."""
        self.out = out
        self._read: dict[Path, Units] = {}

    def records_path(self, where: CellFolder) -> Path:
        """The record file of a cell."""
        return self.out.joinpath("records", *where.parts, f"{where.stem}.jsonl")

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

    def units(self, where: CellFolder) -> Units:
        """What is stored of a cell: the newest output of each image; read once until something is appended.

        Raises:
            RequestError: a line is no record, or one of another cell (says which).
        """
        path = self.records_path(where)
        if path not in self._read:
            self._read[path] = fold_records(read_records(path, where.cell))
        return self._read[path]

    def manifest(self) -> RunManifest | None:
        """run.json; None where there is none.

        Raises:
            RequestError: damaged, or of another version.
        """
        path = self.out / "run.json"
        try:
            return RunManifest.from_json(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise RequestError(
                f"{path} cannot be read: {fault.strerror or fault}; mend that, or choose another folder with --out"
            ) from None


def read_records(path: Path, cell: CellId) -> list[Record]:
    """All records of a cell's file; a torn last line is passed over.

    Raises:
        RequestError: a line in the middle is not a record, or it is one of another cell (says which line).
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as fault:
        raise RequestError(f"{path} cannot be read: {fault.strerror or fault}; move it away, then run again") from None
    records = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = Record.from_json(line)
        except ValueError as fault:
            raise RequestError(
                f"{path}, line {number}: expected a record, seen {line[:40]!r} ({fault}); "
                "delete that line (its unit is computed again) or move the file away, then run again"
            ) from None
        if record.cell != cell:
            raise RequestError(
                f"{path}, line {number}: the record says it is of {describe(record.cell)}, but it lies where those of "
                f"{describe(cell)} are; move the file back to its place or away, then run again"
            )
        records.append(record)
    return records


def describe(cell: CellId) -> str:
    """A cell for messages: `casr (lite), Set5, x4, seed 0`."""
    variant = f" ({cell.variant})" if cell.variant else ""
    return f"{cell.method}{variant}, {cell.dataset}, x{format_scale(cell.scale)}, seed {cell.seed}"


def fold_records(records: Iterable[Record]) -> Units:
    """Merge lines: the newest output of each (image, pair) wins, scores of the same output add up."""
    units: Units = {}
    for record in records:
        slot = (record.image, record.pair)
        scores = {_slot(score): score for score in record.scores}
        old = units.get(slot)
        # a result that was computed again in 16 bit for an unrounded protocol keeps its 8-bit scores: they are the same
        if (
            old is not None
            and old.output is not None
            and record.output is not None
            and old.output.key == record.output.key
        ):
            scores = {**old.scores, **scores}
        # numbers of an image outlive the failure of a later metric on it
        status = UnitStatus.OK if scores else record.status
        units[slot] = StoredUnit(
            record.image,
            record.pair,
            status,
            record.output,
            scores,
            record.error,
            record.origin,
            record.source,
            record.file,
        )
    return units


def _slot(score: Score) -> str:
    return score.key or f"fault of {score.metric}|{score.signature}"
