"""A run folder as it is read: run.json, and the records of a cell merged to its units.

Reading takes no lock and writes nothing. What a record says of itself must agree with where it lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api import CellId, Output, Record, RequestError, RunManifest, Score, UnitStatus, format_scale
from bench.api.record import line_head, unknown_keys
from bench.engine.quick_lines import read_quickly
from bench.imaging.regular import read_regular

if TYPE_CHECKING:
    from bench.engine.quick_lines import Said


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

    def image_path(self, image: str, pair: str, *, plain: bool = True) -> str:
        """Where the SR image of a unit lies, relative to the run folder; one of two ways of making LR is not plain."""
        return f"{self._images}{'' if plain else '~' + pair[:8]}/{image}.png"

    def owns(self, path: str, image: str, pair: str) -> bool:
        """Whether a path is where a unit's image lies, and no other's."""
        return path == self.image_path(image, pair) or path == self.image_path(image, pair, plain=False)

    @cached_property
    def _images(self) -> str:
        return "/".join(("images", *self.parts, self.stem))


def by_key(scores: Iterable[Score]) -> dict[str, Score]:
    """Score key -> score; faults, which have no key, under their metric and signature."""
    return {score.key or f"fault of {score.metric}|{score.signature}": score for score in scores}


@dataclass(slots=True)
class StoredUnit:
    """What the records say of one image of a cell under one pair half (one way of making HR and LR).

    Attributes:
        image, pair, status, output, error, origin, source, file: Those of the newest record, see `Record`.
        scores: As `by_key` has them, of this output.
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

    @staticmethod
    def of(record: Record | Said) -> StoredUnit:
        """What one record says."""
        return StoredUnit(
            record.image,
            record.pair,
            record.status,
            record.output,
            by_key(record.scores),
            record.error,
            record.origin,
            record.source,
            record.file,
        )

    def score(self, key: str, metric: str, signature: str) -> Score | None:
        """The number of a score key, believed only under its own metric and signature."""
        score = self.scores.get(key)
        fits = score is not None and score.metric == metric and score.signature == signature
        return score if fits else None


Units = dict[tuple[str, str], StoredUnit]
"""(image, pair) -> unit."""


class RunFolder:
    """A run folder opened for reading."""

    def __init__(self, out: Path) -> None:
        """Args: out: The folder; nothing is read yet."""
        self.out = out
        self._read: dict[Path, Units] = {}
        self._paths: dict[CellFolder, Path] = {}

    def records_path(self, where: CellFolder) -> Path:
        """The record file of a cell."""
        if where not in self._paths:
            self._paths[where] = self.out.joinpath("records", *where.parts, f"{where.stem}.jsonl")
        return self._paths[where]

    def image_path(self, where: CellFolder, image: str, pair: str, taken: set[str]) -> Path:
        """Where the SR image of a unit goes, relative to the run folder.

        The first way of making LR seen in a cell (`pair`) gets the plain folder; others get one with the pair's name.

        Args:
            where: The cell.
            image: Image id.
            pair: Pair id of the unit.
            taken: Pair ids that already use the plain folder of this cell.
        """
        return Path(where.image_path(image, pair, plain=not taken or pair in taken))

    def units(self, where: CellFolder) -> Units:
        """What is stored of a cell: the newest output of each image; read once until something is appended.

        Raises:
            RequestError: a line is no record, or one of another cell (says which).
        """
        path = self.records_path(where)
        if path not in self._read:
            self._read[path] = fold_units(read_units(path, where))
        return self._read[path]

    def forget(self, where: CellFolder) -> None:
        """Let go of what was read of a cell; it is read again when it is asked for."""
        self._read.pop(self.records_path(where), None)

    def manifest(self) -> RunManifest | None:
        """run.json; None where there is none.

        Raises:
            RequestError: damaged, or of another version.
        """
        path = self.out / "run.json"
        try:
            return RunManifest.from_json(read_regular(path), str(path))
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise RequestError(
                f"{path} cannot be read: {fault.strerror or fault}; mend that, or choose another folder with --out"
            ) from None


class Listing:
    """The files of a run folder, each folder looked at once: asking for 200,000 files one by one takes seconds."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._names: dict[str, frozenset[str]] = {}

    def has(self, path: str) -> bool:
        """Whether there is a file of this path, relative to the run folder."""
        folder, _, name = path.rpartition("/")
        if folder not in self._names:
            try:
                with os.scandir(self._out / folder) as entries:
                    self._names[folder] = frozenset(entry.name for entry in entries if entry.is_file())
            except OSError:
                self._names[folder] = frozenset()
        return name in self._names[folder]


def read_units(path: Path, where: CellFolder) -> list[StoredUnit]:
    """What each line of a cell's file says; a torn last line is passed over.

    Raises:
        RequestError: lines in the middle are no records (says the first and how many), or one is of another cell or
            names another unit's image.
    """
    try:
        lines = read_regular(path).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as fault:
        raise RequestError(f"{path} cannot be read: {fault.strerror or fault}; move it away, then run again") from None
    units: list[StoredUnit] = []
    wrong: list[tuple[int, ValueError]] = []
    head = line_head(where.cell)
    for number, line in enumerate(lines[:-1], start=1):
        try:
            said = read_quickly(line, head)
            if said is None:
                said = Record.from_json(line)
                if said.cell != where.cell:
                    raise _misplaced(path, number, said.cell, where.cell)
            unit = StoredUnit.of(said)
        except ValueError as fault:
            wrong.append((number, fault))
            continue
        if unit.output is not None and not where.owns(unit.output.path, unit.image, unit.pair):
            raise RequestError(
                f"{path}, line {number}: expected the image of '{unit.image}' where this cell keeps it, seen "
                f"{unit.output.path[:80]}; delete that line (its unit is computed again), then run again"
            )
        units.append(unit)
    if wrong:
        raise _damaged(path, lines, wrong)
    return units


def _misplaced(path: Path, number: int, said: CellId, place: CellId) -> RequestError:
    return RequestError(
        f"{path}, line {number}: the record says it is of {describe(said)}, but it lies where those of "
        f"{describe(place)} are; move the file back to its place or away, then run again"
    )


def _damaged(path: Path, lines: Sequence[bytes], wrong: Sequence[tuple[int, ValueError]]) -> RequestError:
    """One error for all lines of a file that are no records."""
    number, fault = wrong[0]
    later = next((key for place, _ in wrong for key in unknown_keys(lines[place - 1])), "")
    if later:
        return RequestError(
            f"{path}, line {number}: {len(wrong)} of {len(lines) - 1} records were written by a later version of "
            f"assr-bench (this one does not know '{later[:40]}': {fault}); upgrade, or choose another folder with --out"
        )
    more = f" (and {len(wrong) - 1} more, the last is line {wrong[-1][0]})" if len(wrong) > 1 else ""
    what = "that line (its unit is" if len(wrong) == 1 else "these lines (their units are"
    return RequestError(
        f"{path}, line {number}: expected a record, seen {lines[number - 1][:40]!r} ({fault}){more}; "
        f"delete {what} computed again) or move the file away, then run again"
    )


def describe(cell: CellId) -> str:
    """A cell for messages: `casr (lite), Set5, x4, seed 0`."""
    variant = f" ({cell.variant})" if cell.variant else ""
    return f"{cell.method}{variant}, {cell.dataset}, x{format_scale(cell.scale)}, seed {cell.seed}"


def fold_units(lines: Iterable[StoredUnit]) -> Units:
    """Merge lines: the newest output of each (image, pair) wins, scores of the same output add up."""
    units: Units = {}
    for unit in lines:
        slot = (unit.image, unit.pair)
        old = units.get(slot)
        if old is not None and _same_image(old.output, unit.output):
            unit.scores = {**old.scores, **unit.scores}
        if unit.scores:  # numbers of an image outlive the failure of a later metric on it
            unit.status = UnitStatus.OK
        units[slot] = unit
    return units


def _same_image(old: Output | None, new: Output | None) -> bool:
    """Whether numbers of one output are numbers of the other.

    A result that was computed again in 16 bit for an unrounded protocol keeps its 8-bit scores: they are the same.
    """
    if old is None or new is None or old.key != new.key:
        return False
    return old.sha256 == new.sha256 or old.depth != new.depth
