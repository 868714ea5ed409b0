"""A board as files for other programs and for reading: leaderboard.csv, .json and .md, the same numbers in each."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.api import Direction, Scale, format_times
from bench.api.csv_cells import shielded
from bench.leaderboard.entry import Board, Entry, ShownMetric
from bench.leaderboard.ranks import Ranking
from bench.report.escape import markdown, markdown_code
from bench.report.plain import json_value

COLUMNS = (
    "kind",
    "source",
    "table",
    "method",
    "dataset",
    "scale",
    "metric",
    "value",
    "seed_sd",
    "low",
    "high",
    "n",
    "expected",
    "seeds",
    "rank",
    "of",
    "signature",
    "protocol",
    "parameters",
    "seconds",
    "hardware",
    "seen",
    "contaminated",
    "note",
)
"""Columns of leaderboard.csv: `value` is empty for an incomplete cell, `low` and `high` are its mean's 95 % interval,
`rank` is the place among the `of` numbers that it may be compared with."""


_SIGNS = {
    "†": "†: the method was trained on images of this dataset; (†): perhaps.",
    "‡": "‡: the metric was part of its training's loss, so that the row is not ranked by it.",
}
"""Sign behind a number -> what it means."""


def csv_text(board: Board) -> str:
    """leaderboard.csv."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([shielded(_plain(row[name])) for name in COLUMNS] for row in _lines(board))
    return stream.getvalue()


def json_text(board: Board, rankings: Sequence[Ranking]) -> str:
    """leaderboard.json: rows with the columns of the CSV, cards, metrics, cross-scale matrices and mean ranks."""
    content = {
        "format": 1,
        "metrics": [asdict(metric) for metric in board.metrics],
        "methods": [asdict(card) for card in board.cards],
        "rows": list(_lines(board)),
        "matrices": [{**asdict(m), "method": board.cards[m.card].display} for m in board.matrices],
        "mean_ranks": [_ranking(ranking, board) for ranking in rankings],
        "notes": list(board.notes),
    }
    return json.dumps(json_value(content), indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def markdown_text(board: Board, title: str) -> str:
    """leaderboard.md: one table per dataset, metric and way of measuring; methods by scales, the best in bold."""
    groups: dict[tuple[str, str, str, str], list[Entry]] = defaultdict(list)
    for entry in board.entries:
        kind = "reported" if entry.table else board.cards[entry.card].kind
        groups[kind, entry.table or entry.protocol or entry.signature, entry.dataset, entry.metric].append(entry)
    metrics = {metric.name: metric for metric in board.metrics}
    parts = [f"# {markdown(title)}"]
    for (kind, how, dataset, name), entries in groups.items():
        heading = f"## {_heading(metrics.get(name), name)} on {markdown(dataset)}"
        signatures = list(dict.fromkeys(entry.signature for entry in entries if entry.signature))
        lines = "\n".join(f"- {markdown_code(signature)}" for signature in signatures)
        parts.append(f"{heading}\n\n{kind}, {markdown(how)}\n\n{_table(entries, board)}\n\n{lines}")
    shown = "".join(parts)
    parts += [f"- {text}" for sign, text in _SIGNS.items() if sign in shown]
    parts += [f"- {markdown(note)}" for note in board.notes]
    return "\n\n".join(parts) + "\n"


def _lines(board: Board) -> Iterator[dict[str, Any]]:
    """column -> value of every entry."""
    for entry in board.entries:
        card = board.cards[entry.card]
        values = {
            "kind": str(card.kind),
            "source": card.source,
            "method": card.display,
            "seed_sd": entry.sd,
            "parameters": card.parameters,
            "hardware": card.hardware,
        }
        yield {name: values[name] if name in values else getattr(entry, name) for name in COLUMNS}


def _ranking(ranking: Ranking, board: Board) -> dict[str, Any]:
    rows = [{**asdict(row), "method": board.cards[row.card].display} for row in ranking.rows]
    return {**asdict(ranking), "rows": rows}


def _table(entries: Sequence[Entry], board: Board) -> str:
    scales = sorted({entry.scale for entry in entries}, key=lambda scale: (scale is not None, scale or 0.0))
    methods = list(dict.fromkeys(entry.card for entry in entries))
    cells: Mapping[tuple[int, Scale | None], Entry] = {(entry.card, entry.scale): entry for entry in entries}
    head = ["Method", *("" if scale is None else f"{format_times(scale)}" for scale in scales)]
    rows = [
        [markdown(board.cards[card].display), *(_cell(cells.get((card, scale)), board) for scale in scales)]
        for card in methods
    ]
    rule = [":---", *("---:" for _ in scales)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def _cell(entry: Entry | None, board: Board) -> str:
    if entry is None:
        return "--"
    trained = "‡" if entry.value is not None and board.cards[entry.card].trained_by(entry.metric) else ""
    return (f"**{entry.text}**" if entry.rank == 1 else entry.text) + entry.mark + trained


def _heading(metric: ShownMetric | None, name: str) -> str:
    if metric is None:
        return markdown(name)
    arrow = {Direction.HIGHER: " ↑", Direction.LOWER: " ↓", None: ""}[metric.direction]
    return markdown(metric.display) + arrow


def _plain(value: object) -> object:
    """A value as CSV holds it."""
    if value is None:
        return ""
    return int(value) if isinstance(value, float) and value.is_integer() else value
