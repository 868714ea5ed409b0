"""Published tables as a board: printed numbers, ranked within their own table and never against measured ones."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis import Selection
from bench.analysis.contamination import exposure
from bench.analysis.reported import ReportedRow, statements
from bench.leaderboard.entry import Board, Card, Entry, Kind
from bench.leaderboard.matrices import split_references
from bench.leaderboard.measured import shown_metrics
from bench.metrics.catalog import known_infos

_Owner = tuple[str, str, str]
"""(source, label, variant)."""


def reported_board(rows: Sequence[ReportedRow], selection: Selection | None = None) -> Board:
    """The board of printed rows.

    Args:
        rows: As `bench.analysis.reported` reads them.
        selection: Which datasets, scales, metrics and methods; names that no paper has are passed over.
    """
    chosen = selection or Selection()
    rows = [row for row in rows if chosen.admits(row.method, row.dataset, row.scale, row.metric)]
    owners = {_owner(row): row for row in reversed(rows)}
    places = {owner: place for place, owner in enumerate(dict.fromkeys(map(_owner, rows)))}
    cards = [_card(owners[owner]) for owner in places]
    entries, matrices = split_references(_entry(row, places[_owner(row)], cards) for row in rows)
    # metrics that nobody registered here have the direction that the paper prints
    directions = {row.metric: row.direction for row in rows}
    return Board(tuple(cards), entries, shown_metrics(directions, known_infos(directions), directions), matrices)


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
