"""Published tables as a board: printed numbers, ranked within their own table and never against measured ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.analysis import Selection
from bench.analysis.contamination import exposure
from bench.analysis.reported import ReportedRow, statements
from bench.api import MetricRef
from bench.leaderboard.entry import Board, Card, Entry, Kind, ShownMetric
from bench.leaderboard.matrices import split_references
from bench.metrics.catalog import known_infos

_Owner = tuple[str, str, str]
"""(source, label, variant)."""


def reported_board(rows: Sequence[ReportedRow], selection: Selection | None = None) -> Board:
    """The board of printed rows.

    Args:
        rows: As `bench.analysis.reported` reads them.
        selection: Which datasets, scales, metrics and methods; names that no paper has are passed over.
    """
    rows = [row for row in rows if _wanted(row, selection or Selection())]
    owners = {_owner(row): row for row in reversed(rows)}
    places = {owner: place for place, owner in enumerate(dict.fromkeys(map(_owner, rows)))}
    cards = [_card(owners[owner]) for owner in places]
    entries, matrices = split_references(_entry(row, places[_owner(row)], cards) for row in rows)
    return Board(tuple(cards), entries, _metrics(rows), matrices)


def _wanted(row: ReportedRow, selection: Selection) -> bool:
    asked = (
        (selection.methods, row.method),
        (selection.datasets, row.dataset),
        (selection.scales, row.scale),
        (selection.metrics, row.metric),
    )
    return all(not names or value in names for names, value in asked)


def _owner(row: ReportedRow) -> _Owner:
    return row.source, row.label, row.variant


def _card(row: ReportedRow) -> Card:
    training = [t for t in statements().training if t.source == row.source and t.method == row.method]
    return Card(
        display=f"{row.method} ({row.variant})" if row.variant else row.method,
        method=row.method,
        kind=Kind.REPORTED,
        source=row.source,
        train_sets=tuple(dict.fromkeys(name for t in training for name in t.train_sets)) or None,
        minimised=tuple(dict.fromkeys(name for t in training for name in t.minimised)),
        notes=(f"Printed as '{row.label}'.",),
    )


def _entry(row: ReportedRow, place: int, cards: Sequence[Card]) -> Entry:
    return Entry(
        card=place,
        dataset=row.dataset,
        scale=row.scale,
        metric=row.metric,
        value=float(row.value) if row.value else None,
        text=row.value or "lost",
        signature=row.signature,
        table=row.name,
        exposure=exposure(cards[place].train_sets, row.dataset),
        note=row.note,
    )


def _metrics(rows: Iterable[ReportedRow]) -> tuple[ShownMetric, ...]:
    """Metrics of printed rows: those that nobody registered here have the direction that the paper prints."""
    directions = {row.metric: row.direction for row in rows if MetricRef.parse(row.metric).reference is None}
    infos = known_infos(directions)
    return tuple(
        ShownMetric(name, infos[name].display, infos[name].direction, infos[name].decimals)
        if name in infos
        else ShownMetric(name, name, direction, 4)
        for name, direction in directions.items()
    )
