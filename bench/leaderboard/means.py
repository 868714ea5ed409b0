"""The summary.csv of a run as a board: means without the single values behind them, and without the run's folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bench.analysis.contamination import exposure
from bench.api import (
    NO_VARIANT,
    SUMMARY_COLUMNS,
    UNTRAINED,
    MetricInfo,
    MetricRef,
    RequestError,
    RowInfo,
    Scale,
    Signature,
    parse_scale,
)
from bench.api.csv_cells import csv_lines, unshielded_line
from bench.imaging.regular import read_regular
from bench.leaderboard.cards import run_card
from bench.leaderboard.entry import Board, Card, Entry
from bench.leaderboard.matrices import split_references
from bench.leaderboard.measured import shown_metrics
from bench.leaderboard.protocols import in_common, protocol_names
from bench.metrics.catalog import known_infos
from bench.registry import METHODS
from bench.report.model import printed

_LATER = frozenset({"origin", "source", "doubt"})
"""Columns that files of earlier versions lack."""


def means_board(paths: Sequence[Path]) -> Board:
    """The board of the summary.csv of one or several runs; what several hold alike stands on it once.

    Args:
        paths: The files.
    Raises:
        RequestError: one lacks a column, a value is of another kind (names file, line and column), or two files have
            different numbers of one cell (names both).
    """
    lines = [_Line(path, number, values) for path in paths for number, values in enumerate(_read(path), start=2)]
    files: dict[tuple[str, str], dict[str, None]] = {}
    for line in lines:
        files.setdefault(line.row.key, {})[line.path.name] = None
    infos = known_infos([line.values["metric"] for line in lines])
    lines = [line for line in _once(lines, infos) if line.row.trained != UNTRAINED]
    owners = {line.row.key: line.row for line in lines}
    places = {key: place for place, key in enumerate(owners)}
    cards = [replace(run_card(row, {}), source=", ".join(files[key])) for key, row in owners.items()]
    names = [line.values["metric"] for line in lines]
    common = {path: in_common(line.protocols for line in lines if line.path == path) for path in paths}
    entries, matrices = split_references(
        _entry(line, places[line.row.key], cards, infos, common[line.path]) for line in lines
    )
    return Board(tuple(cards), entries, shown_metrics(names, infos), matrices)


@dataclass(frozen=True)
class _Line:
    """A line of a summary.csv: column -> text."""

    path: Path
    number: int
    values: Mapping[str, str]

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.path}, line {self.number}"

    @cached_property
    def row(self) -> RowInfo:
        """The row's facts as far as its names say them."""
        variant = self.values["variant"]
        return _row(self.values["method"], "" if variant == NO_VARIANT else variant)

    @cached_property
    def protocols(self) -> tuple[str, ...]:
        """The presets that sign numbers as this one is signed."""
        return protocol_names(self.values["metric"], self.values["signature"], _scale(self.values, self.where))


def _once(lines: Sequence[_Line], infos: Mapping[str, MetricInfo]) -> list[_Line]:
    """The lines without repetitions."""
    first: dict[tuple[object, ...], _Line] = {}
    for line in lines:
        values = line.values
        key = (line.row.key, *(values[name] for name in ("dataset", "scale", "metric", "signature", "expected")))
        other = first.setdefault(key, line)
        if not _alike(other.values["mean"], values["mean"], _decimals(values["metric"], infos)):
            cell = f"{values['metric']} of {values['method']} on {values['dataset']} at x{values['scale']}"
            raise RequestError(
                f"{line.where}: {cell} is {values['mean'] or 'missing'}, but {other.values['mean'] or 'missing'} in "
                f"{other.where}; leave one of the files out"
            )
    return list(first.values())


def _alike(first: str, second: str, decimals: int) -> bool:
    """Whether two means are one: within half of the last printed digit, since of a network's image two machines, or two
    numbers of threads, round single pixels otherwise."""
    try:
        return first == second or math.isclose(float(first), float(second), rel_tol=1e-7, abs_tol=0.5 * 10**-decimals)
    except ValueError:
        return False


def _decimals(metric: str, infos: Mapping[str, MetricInfo]) -> int:
    """Printed behind the point; four where the metric is not known here."""
    info = infos.get(MetricRef.parse(metric).name)
    return 4 if info is None else info.decimals


def _read(path: Path) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(csv_lines(read_regular(path).decode("utf-8-sig")), restval="")
        lines = [unshielded_line(line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise RequestError(f"{path} cannot be read: {fault}") from None
    missing = [name for name in SUMMARY_COLUMNS if name not in (reader.fieldnames or ()) and name not in _LATER]
    if missing:
        raise RequestError(
            f"{path}: expected the summary.csv of a 'bench run' with the columns {','.join(SUMMARY_COLUMNS)}; "
            f"seen no {', '.join(missing)}"
        )
    return lines


def _row(method: str, variant: str) -> RowInfo:
    """The row's facts as far as its names say them: the registered method's display name with the variant."""
    bare = RowInfo.bare(method, variant)
    known = METHODS.find(method)
    if known is None:
        return bare
    display = known.info.display
    return RowInfo(
        method=method, variant=variant, display=f"{display} ({variant})" if variant else display, trained=bare.trained
    )


def _scale(line: Mapping[str, str], where: str) -> Scale:
    try:
        return parse_scale(line["scale"])
    except RequestError as fault:
        raise RequestError(f"{where}, column scale: expected a number, seen '{line['scale']}' ({fault})") from None


def _entry(
    source: _Line, place: int, cards: Sequence[Card], infos: Mapping[str, MetricInfo], common: tuple[str, ...]
) -> Entry:
    line, where = source.values, source.where
    metric = line["metric"]
    mean, sd = _number(line, "mean", where), _number(line, "seed_sd", where)
    n, expected = _count(line, "n", where), _count(line, "expected", where)
    scale = _scale(line, where)
    if line["signature"] and Signature.parse(line["signature"]).tokens[0] != MetricRef.parse(metric).name:
        raise RequestError(f"{where}, column signature: expected one of {metric}, seen '{line['signature']}'")
    complete = mean is not None and n == expected
    return Entry(
        card=place,
        dataset=line["dataset"],
        scale=scale,
        metric=metric,
        value=mean if complete else None,
        text=printed(mean, _decimals(metric, infos)) if complete and mean is not None else f"{n}/{expected}",
        sd=sd if complete else None,
        n=n,
        expected=expected,
        seeds=_count(line, "seeds", where),
        signature=line["signature"],
        protocol=", ".join(tuple(name for name in source.protocols if name in common) or source.protocols),
        images=line.get("source") or "",
        exposure=exposure(cards[place].train_sets, line["dataset"]),
        note=line["note"] or line.get("doubt", ""),
    )


def _number(line: Mapping[str, str], column: str, where: str) -> float | None:
    text = line[column]
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise RequestError(f"{where}, column {column}: expected a number, seen '{text}'") from None
    return None if math.isnan(value) else value


def _count(line: Mapping[str, str], column: str, where: str) -> int:
    if not line[column].isdecimal():
        raise RequestError(f"{where}, column {column}: expected a whole number, seen '{line[column]}'")
    return int(line[column])
