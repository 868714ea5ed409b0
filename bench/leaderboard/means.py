"""The summary.csv of a run as a board: means without the single values behind them, and without the run's folder."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from bench.api import NO_VARIANT, SUMMARY_COLUMNS, UNTRAINED, MetricInfo, MetricRef, RequestError, RowInfo, Signature
from bench.leaderboard.cards import run_card
from bench.leaderboard.contamination import contamination
from bench.leaderboard.entry import Board, Card, Entry
from bench.leaderboard.matrices import split_references
from bench.leaderboard.measured import shown_metrics
from bench.leaderboard.protocols import protocol_names
from bench.metrics.catalog import known_infos
from bench.registry import METHODS
from bench.report.model import printed

_LATER = frozenset({"origin", "source"})
"""Columns that files of earlier versions lack."""


def means_board(path: Path) -> Board:
    """The board of a summary.csv.

    Args:
        path: The file.
    Raises:
        RequestError: it lacks a column, or a value is of another kind (names file, line and column).
    """
    lines = _read(path)
    rows = [_row(line["method"], "" if line["variant"] == NO_VARIANT else line["variant"]) for line in lines]
    owners = {row.key: row for row in rows if row.trained != UNTRAINED}
    places = {key: place for place, key in enumerate(owners)}
    cards = [_card(row, path) for row in owners.values()]
    infos = known_infos(line["metric"] for line in lines)
    entries, matrices = split_references(
        _entry(line, places[row.key], cards, infos, f"{path}, line {number}")
        for number, (line, row) in enumerate(zip(lines, rows, strict=True), start=2)
        if row.key in places
    )
    return Board(tuple(cards), entries, shown_metrics([line["metric"] for line in lines], infos), matrices)


def _read(path: Path) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), restval="")
        lines = list(reader)
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
    if method not in METHODS.names():
        return bare
    display = METHODS.get(method).info.display
    return RowInfo(
        method=method, variant=variant, display=f"{display} ({variant})" if variant else display, trained=bare.trained
    )


def _card(row: RowInfo, path: Path) -> Card:
    card = run_card(row, {})
    return Card(**{**vars(card), "source": path.name})


def _entry(
    line: Mapping[str, str], place: int, cards: list[Card], infos: Mapping[str, MetricInfo], where: str
) -> Entry:
    metric = line["metric"]
    info = infos.get(MetricRef.parse(metric).name)
    mean, sd = _number(line, "mean", where), _number(line, "seed_sd", where)
    n, expected = _count(line, "n", where), _count(line, "expected", where)
    scale = _number(line, "scale", where)
    if scale is None or not math.isfinite(scale):
        raise RequestError(f"{where}, column scale: expected a number, seen '{line['scale']}'")
    if line["signature"] and Signature.parse(line["signature"]).tokens[0] != MetricRef.parse(metric).name:
        raise RequestError(f"{where}, column signature: expected one of {metric}, seen '{line['signature']}'")
    complete = mean is not None and n == expected
    return Entry(
        card=place,
        dataset=line["dataset"],
        scale=scale,
        metric=metric,
        value=mean if complete else None,
        text=printed(mean, 4 if info is None else info.decimals)
        if complete and mean is not None
        else f"{n}/{expected}",
        sd=sd if complete else None,
        n=n,
        expected=expected,
        seeds=_count(line, "seeds", where),
        signature=line["signature"],
        protocol=protocol_names(metric, line["signature"], scale) if line["signature"] else "",
        images=line.get("source") or "",
        contaminated=contamination(cards[place].train_sets, line["dataset"]),
        note=line["note"],
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
