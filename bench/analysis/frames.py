"""A run as frames: what the engine hands over at its end, and the same read back from a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.analysis.aggregate import summarise
from bench.analysis.crossscale import without_reference
from bench.analysis.expected import parse_expected
from bench.api import RECORD_COLUMNS, RequestError, UnitStatus

_HOW = "give the --out folder of a finished or interrupted 'bench run'"


@dataclass(frozen=True)
class RunFrames:
    """Everything that tables need to know of a run.

    Attributes:
        records: RECORD_COLUMNS, one row per unit and metric.
        expected: Columns method, variant, dataset, scale, seed, expected (see `expected_frame`).
        unavailable: metric -> why it cannot be computed here.
        displays: (method, variant) -> the name as tables print it.
        minimised: (method, variant) -> metrics that its weights were trained to minimise.
        protocols: signature -> the names of the protocols that give it.
        request: What was asked for, as run.json keeps it.
    """

    records: pd.DataFrame
    expected: pd.DataFrame
    unavailable: Mapping[str, str] = field(default_factory=dict)
    displays: Mapping[tuple[str, str], str] = field(default_factory=dict)
    minimised: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    protocols: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def summary(self) -> pd.DataFrame:
        """SUMMARY_COLUMNS, averaged from the records."""
        asked = self.request.get("metrics", ())
        names = asked.split(",") if isinstance(asked, str) else [str(name) for name in asked]
        return summarise(self.records, self.expected, unavailable=self.unavailable, metrics=names)


def records_frame(rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    """A records frame from tuples in the order of RECORD_COLUMNS; a value of None becomes NaN."""
    frame = pd.DataFrame(list(rows), columns=pd.Index(RECORD_COLUMNS))
    for column in ("method", "variant", "dataset", "image", "metric", "unit_status", "signature"):
        frame[column] = frame[column].astype(object)
    frame["scale"] = frame["scale"].astype(float)
    frame["seed"] = frame["seed"].astype("int64")
    frame["value"] = frame["value"].astype(float)
    return frame


def load_run(folder: Path) -> RunFrames:
    """Read a run folder.

    Args:
        folder: The --out folder of a run; it holds run.json and records.csv.
    Raises:
        RequestError: no such folder, not a run folder, or a damaged file (names it and what is wrong).
    """
    if not folder.is_dir():
        seen = "a file" if folder.exists() else "nothing"
        raise RequestError(f"no run folder {folder}: found {seen} there; {_HOW}")
    for name in ("run.json", "records.csv"):
        if not (folder / name).is_file():
            raise RequestError(f"{folder} is not a run folder: it has no {name}; {_HOW}")
    run = _read_json(folder / "run.json")
    where = str(folder / "run.json")
    for key in ("unavailable", "displays", "minimised", "signatures", "request"):
        if not isinstance(run.get(key, {}), dict):
            raise RequestError(f"{where} is damaged: '{key}' should be an object; repeat the run to write it again")
    if not isinstance(run.get("expected", []), list):
        raise RequestError(f"{where} is damaged: 'expected' should be a list; repeat the run to write it again")
    return RunFrames(
        records=_read_records(folder / "records.csv"),
        expected=parse_expected(run.get("expected", []), where),
        unavailable={str(k): str(v) for k, v in run.get("unavailable", {}).items()},
        displays=parse_displays(run.get("displays", {})),
        minimised=parse_minimised(run.get("minimised", {})),
        protocols=parse_protocols(run.get("signatures", {})),
        request=run.get("request", {}),
    )


def parse_displays(displays: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Read run.json's "method|variant" -> display name."""
    return {_row(key): str(name) for key, name in displays.items()}


def parse_minimised(minimised: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Read run.json's "method|variant" -> metrics that were part of its training's loss."""
    return {_row(key): tuple(str(name) for name in names) for key, names in minimised.items()}


def _row(key: str) -> tuple[str, str]:
    return key.rpartition("|")[0], key.rpartition("|")[2]


def parse_protocols(signatures: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Read run.json's signature -> protocol name; two protocols may share a signature, then it is a list of names.

    A cross-scale metric is known by its signature and by that of its means over references, which tables hold.
    """
    found: dict[str, tuple[str, ...]] = {}
    for signature, said in signatures.items():
        names = (said,) if isinstance(said, str) else tuple(str(name) for name in said)
        for key in dict.fromkeys((signature, without_reference(signature))):
            found[key] = tuple(dict.fromkeys((*found.get(key, ()), *names)))
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise RequestError(f"{path} cannot be read: {fault}; repeat the run with the same --out") from None
    if not isinstance(run, dict):
        raise RequestError(f"{path} is damaged: expected an object, saw {type(run).__name__}; repeat the run")
    return run


def _read_records(path: Path) -> pd.DataFrame:
    again = "repeat the run with the same --out to write it again"
    try:
        # names such as "NA" or "007" are names: nothing is guessed
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError, pd.errors.ParserError) as fault:
        raise RequestError(f"{path} cannot be read: {fault}; {again}") from None
    missing = [column for column in RECORD_COLUMNS if column not in frame.columns]
    if missing:
        raise RequestError(f"{path} is damaged: no column {', '.join(missing)}; {again}")
    frame = frame.loc[:, list(RECORD_COLUMNS)].astype(object)
    for column, empty in (("scale", False), ("seed", False), ("value", True)):
        text = frame[column].to_numpy(dtype=str)
        number = pd.Series(pd.to_numeric(frame[column], errors="coerce"), dtype=float)
        wrong = np.flatnonzero(number.isna().to_numpy() & ~((text == "") & empty))
        if len(wrong):
            seen = text[wrong[0]]
            raise RequestError(f"{path}, line {wrong[0] + 2}: '{seen}' is not a {column}; {again}")
        frame[column] = number
    frame["seed"] = frame["seed"].astype("int64")
    strange = set(frame["unit_status"]) - {str(status) for status in UnitStatus}
    if strange:
        raise RequestError(f"{path} is damaged: unknown unit_status {sorted(strange)[0]!r}; {again}")
    return frame
