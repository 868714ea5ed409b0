"""A run as frames: its records, what its cells must hold, and what tables say of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis.aggregate import summarise
from bench.analysis.crossscale import without_reference
from bench.analysis.planned import Planned, of_manifest
from bench.analysis.scale_column import scale_column
from bench.api import (
    LATER_COLUMNS,
    NO_VARIANT,
    RECORD_COLUMNS,
    ImageSet,
    Origin,
    RecordRow,
    RequestError,
    RowInfo,
    RunManifest,
    Scale,
    UnitStatus,
    parse_scale,
    unknown_name,
)
from bench.api.csv_cells import unshielded
from bench.api.run import row_order
from bench.engine.environment import hardware
from bench.engine.folder import RunFolder
from bench.engine.merge import merge_manifests
from bench.engine.rows import Rows, record_rows

_HOW = "give the --out folder of a finished or interrupted 'bench run'"
_UNSAID: list[Any] = ["", "", None, None, None]
"""Origin, source, seconds, height and width of a row that does not say them."""
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("value", "seconds"), "float64"),
    "seed": "int64",
    **dict.fromkeys(("height", "width"), "Int64"),
}
"""Column of the records frame -> its type; all others hold texts, but for scales, see `scale_column`."""
_VALUE = RECORD_COLUMNS.index("value")
"""Columns before it, and the signature, say of what a number is."""
_AGAIN = "repeat the run with the same --out to write it again"


@dataclass(frozen=True)
class RunFrames:
    """Everything that tables need to know of a run.

    Attributes:
        records: RECORD_COLUMNS, one row per unit and metric; an empty variant is "".
        planned: What each cell must hold.
        rows: What tables say of each method variant.
        unavailable: metric -> why it cannot be computed here.
        protocols: signature -> the names of the protocols that give it.
        metrics: The order of the metrics.
        origins: id -> what made images.
        sets: id -> images.
        warnings: What makes numbers doubtful.
        machine: What the newest run was computed on, in words.
    """

    records: pd.DataFrame
    planned: tuple[Planned, ...]
    rows: Sequence[RowInfo] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)
    protocols: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metrics: Sequence[str] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    sets: Mapping[str, ImageSet] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    machine: str = ""

    @cached_property
    def summary(self) -> pd.DataFrame:
        """SUMMARY_COLUMNS, averaged from the records."""
        return summarise(self.records, self.planned, unavailable=self.unavailable, metrics=self.metrics)

    def row(self, method: str, variant: str) -> RowInfo:
        """What tables say of a method variant."""
        return next((r for r in self.rows if r.key == (method, variant)), RowInfo.bare(method, variant))

    def called(self, name: str) -> RowInfo:
        """The row of a name: the one that tables print, VARIANT, METHOD:VARIANT, or its method's.

        Raises:
            RequestError: no row has it, or several.
        """
        return self.rows[self._place(name, f"'{name}'")]

    def renamed(self, names: Mapping[str, str]) -> RunFrames:
        """The same under other names in tables.

        Args:
            names: What `called` takes -> what to print.
        Raises:
            RequestError: a name that no row has, one that several have, or two rows that would be called the same.
        """
        rows = list(self.rows)
        for old, new in names.items():
            found = self._place(old, f"--rename {old}={new}")
            rows[found] = replace(rows[found], display=new)
        shown = [row.display for row in rows]
        twice = next((name for name in shown if names and shown.count(name) > 1), None)
        if twice is not None:
            raise RequestError(f"two rows would be called '{twice}'; give them different names")
        return replace(self, rows=rows)

    def _place(self, name: str, typed: str) -> int:
        """Where the row of a name stands; `typed` is what an error quotes."""
        fitting = [i for i, row in enumerate(self.rows) if row.display == name]
        fitting = fitting or [
            i
            for i, row in enumerate(self.rows)
            if name in (row.variant, row.method, f"{row.method}:{row.variant or NO_VARIANT}")
        ]
        if not fitting:
            raise unknown_name("row of this run", name, [row.display for row in self.rows], "bench table RUN_FOLDER")
        if len(fitting) > 1:
            called = ", ".join(f"'{self.rows[i].display}'" for i in fitting)
            raise RequestError(f"{typed}: {len(fitting)} rows fit ({called}); give the printed name")
        return fitting[0]


def frames_of(rows: Rows, manifest: RunManifest, *, metrics: Sequence[str] | None = None) -> RunFrames:
    """The frames of a run folder.

    Args:
        rows: Its records.
        manifest: Its run.json.
        metrics: Their order in tables; None: that of the newest request.
    """
    asked = manifest.request.get("metrics", ())
    words = asked.split(",") if isinstance(asked, str) else [str(name) for name in asked]
    return RunFrames(
        records=records_frame(rows.rows),
        planned=of_manifest(manifest, rows.older),
        rows=manifest.rows,
        unavailable=dict(manifest.unavailable),
        protocols=named_protocols(manifest.protocols),
        metrics=words if metrics is None else metrics,
        origins=manifest.origins,
        sets=manifest.sets,
        warnings=tuple(dict.fromkeys(text for texts in manifest.warnings.values() for text in texts)),
        machine=hardware(manifest.environment),
    )


def load_run(*folders: Path) -> RunFrames:
    """Read a run folder, or several as one.

    Args:
        folders: Each the --out folder of a run. Without its records/ (a copy of run.json and records.csv alone) the
            CSV file is read instead. A number that several hold is that of the first in which it did not fail.
    Raises:
        RequestError: no such folder, not a run folder, a damaged file, or folders that contradict each other (names
            both).
    """
    read = [(folder, *_read(folder)) for folder in folders]
    if len(read) == 1:
        return frames_of(read[0][2], read[0][1])
    manifest = merge_manifests([(str(folder), manifest) for folder, manifest, _ in read])
    older = {key: text for _, _, own in read for key, text in own.older.items()}
    return frames_of(Rows(_together([own for _, _, own in read]), older), manifest)


def _together(folders: Iterable[Rows]) -> list[RecordRow]:
    """The rows of several folders: of a number that several hold those of the first, but a failure gives way."""
    kept: dict[tuple[Any, ...], list[RecordRow]] = {}
    for folder in folders:
        own: dict[tuple[Any, ...], list[RecordRow]] = {}
        for row in folder.rows:
            own.setdefault((*row[:_VALUE], row.signature), []).append(row)
        for number, rows in own.items():
            if number not in kept or (not _any_value(kept[number]) and _any_value(rows)):
                kept[number] = rows
    return sorted((row for rows in kept.values() for row in rows), key=row_order)


def _any_value(rows: Iterable[RecordRow]) -> bool:
    return any(row.value is not None for row in rows)


def _read(folder: Path) -> tuple[RunManifest, Rows]:
    if not folder.is_dir():
        seen = "a file" if folder.exists() else "nothing"
        raise RequestError(f"no run folder {folder}: found {seen} there; {_HOW}")
    run = RunFolder(folder)
    manifest = run.manifest()
    if manifest is None:
        raise RequestError(f"{folder} is not a run folder: it has no run.json; {_HOW}")
    if (folder / "records").is_dir():
        return manifest, record_rows(run, manifest)
    if (folder / "records").exists():
        raise RequestError(f"{folder / 'records'}: expected the folder of the run's records, got a file; move it away")
    path = folder / "records.csv"
    if not path.is_file():
        raise RequestError(f"{folder} is not a run folder: it has neither records/ nor records.csv; {_HOW}")
    return manifest, Rows(_read_csv(path))


def records_frame(rows: Iterable[RecordRow | tuple[Any, ...]]) -> pd.DataFrame:
    """A records frame; a value of None becomes NaN.

    Args:
        rows: Typed rows, or tuples in the order of RECORD_COLUMNS, which may stop behind `signature`.
    """
    width = len(RECORD_COLUMNS)
    lines = [row if len(row) == width else _whole(row) for row in rows]
    columns = {name: list(map(itemgetter(i), lines)) for i, name in enumerate(RECORD_COLUMNS)}
    columns["unit_status"] = list(map(str, columns["unit_status"]))
    made = {name: pd.Series(own, dtype=_TYPES.get(name, object)) for name, own in columns.items() if name != "scale"}
    made["scale"] = scale_column(columns["scale"])
    return pd.DataFrame({name: made[name] for name in RECORD_COLUMNS})


def _whole(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*values, *_UNSAID[len(values) - len(RECORD_COLUMNS) :])


def named_protocols(protocols: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """signature -> names of the protocols that give it, with the signatures of means over reference scales.

    A cross-scale metric is known by its signature and by that of its means over references, which tables hold.
    """
    found: dict[str, tuple[str, ...]] = {}
    for signature, names in protocols.items():
        for key in dict.fromkeys((signature, without_reference(signature))):
            found[key] = tuple(dict.fromkeys((*found.get(key, ()), *names)))
    return found


_WHOLE = ("seed", "height", "width")
"""Columns of whole numbers."""
_TOO_LARGE = 2.0**63
_MEASURED = {"value", "unit_status", "seconds", "height", "width", "parameters"}
"""Columns that say what came out; the others say of what."""
_NAMES = {"method", "variant", "dataset", "image"}
"""Columns whose texts come from a person or from a file name."""


def _read_csv(path: Path) -> list[RecordRow]:
    try:
        # names such as "NA" or "007" are names: nothing is guessed
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError, pd.errors.ParserError) as fault:
        raise RequestError(f"{path} cannot be read: {fault}; {_AGAIN}") from None
    for column in _NAMES & set(frame.columns):
        shields = {text: name for text in frame[column].unique() if (name := unshielded(text)) != text}
        frame[column] = frame[column].replace(shields) if shields else frame[column]
    frame = frame.assign(**{name: "" for name in LATER_COLUMNS if name not in frame.columns})
    missing = [column for column in RECORD_COLUMNS if column not in frame.columns]
    if missing:
        raise RequestError(f"{path} is damaged: no column {', '.join(missing)}; {_AGAIN}")
    numbers = {"seed": False, "value": True, "seconds": True, "height": True, "width": True}
    for column, empty in numbers.items():
        text = frame[column].to_numpy(dtype=str)
        number = pd.Series(pd.to_numeric(frame[column], errors="coerce"), dtype=float)
        wrong = np.flatnonzero(number.isna().to_numpy() & ~((text == "") & empty))
        if len(wrong):
            seen = text[wrong[0]]
            raise RequestError(f"{path}, line {wrong[0] + 2}: '{seen}' is not a {column}; {_AGAIN}")
        if column in _WHOLE:
            given = ~number.isna().to_numpy()
            odd = np.flatnonzero(given & ((number % 1 != 0) | (number < 0) | (number >= _TOO_LARGE)).to_numpy())
            if len(odd):
                seen = text[odd[0]]
                raise RequestError(
                    f"{path}, line {odd[0] + 2}: {column}: expected a whole number from 0, got '{seen}'; {_AGAIN}"
                )
        frame[column] = number
    frame["scale"] = _scales(frame["scale"], path)
    strange = set(frame["unit_status"]) - {str(status) for status in UnitStatus}
    if strange:
        raise RequestError(f"{path} is damaged: unknown unit_status {sorted(strange)[0]!r}; {_AGAIN}")
    unit = [column for column in RECORD_COLUMNS if column not in _MEASURED]
    valued = frame.loc[frame["value"].notna()]
    lines_of = valued.loc[~valued.duplicated([*unit, "value"])]
    twice = np.flatnonzero(lines_of.duplicated(unit).to_numpy())
    if len(twice):
        raise RequestError(f"{path}, line {lines_of.index[twice[0]] + 2}: another number of an earlier line; {_AGAIN}")
    lines = frame.loc[:, list(RECORD_COLUMNS)].to_dict("records")
    return [RecordRow(**{str(key): _cell(str(key), value) for key, value in line.items()}) for line in lines]


def _scales(texts: Iterable[str], path: Path) -> pd.Series:
    """The column of scales of a records.csv."""
    known: dict[str, Scale] = {}
    for line, text in enumerate(texts, start=2):
        if text not in known:
            try:
                known[text] = parse_scale(text)
            except RequestError as fault:
                raise RequestError(f"{path}, line {line}: {fault}; {_AGAIN}") from None
    return scale_column(known[text] for text in texts)


def _cell(column: str, value: Any) -> Any:
    """A value of records.csv as `RecordRow` holds it."""
    if column == "seed":
        return int(value)
    if column in ("height", "width"):
        return None if pd.isna(value) else int(value)
    if column in ("value", "seconds"):
        return None if pd.isna(value) else float(value)
    if column == "unit_status":
        return UnitStatus(value)
    return "" if column == "variant" and value == NO_VARIANT else value
