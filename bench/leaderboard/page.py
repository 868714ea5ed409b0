"""The page: one HTML file with data, styles and scripts inside, so that it works from `file://` and offline.

From there a browser reads no other file by script, so all data is inline and every script a classic one. A content
security policy in the page itself forbids whatever would leave it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from bench import __version__
from bench.api import format_times
from bench.leaderboard.entry import Board, Entry
from bench.leaderboard.pictures import Scene
from bench.leaderboard.ranks import Ranking
from bench.leaderboard.vendored import libraries
from bench.report.plain import json_value

STYLES = ("base.css", "table.css", "parts.css", "viewer.css")
SCRIPTS = ("data.js", "copy.js", "table.js", "cards.js", "plots.js", "matrices.js", "viewer.js", "start.js")
"""In the order in which they are loaded."""
ENTRY_FIELDS = (
    "card",
    "dataset",
    "scale",
    "metric",
    "value",
    "text",
    "sd",
    "low",
    "high",
    "n",
    "expected",
    "seeds",
    "signature",
    "protocol",
    "table",
    "seconds",
    "seen",
    "mark",
    "contaminated",
    "note",
    "rank",
    "of",
)
"""What of an entry the page holds, in this order; texts as places in one list."""
_SHARED = ("dataset", "metric", "signature", "protocol", "table", "seen", "mark", "contaminated", "note")


def render_page(board: Board, rankings: Sequence[Ranking], scenes: Sequence[Scene], *, title: str) -> str:
    """The text of index.html.

    Args:
        board: Ranked.
        rankings: Mean ranks.
        scenes: Pictures that lie beside the page.
        title: Heading.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_asset), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("page.html.j2")
    return template.render(
        title=title,
        version=__version__,
        styles="\n".join(map(_asset, STYLES)),
        scripts="\n".join(map(_asset, SCRIPTS)),
        libraries=libraries(),
        data=as_script(page_data(board, rankings, scenes)),
        rankings=rankings,
        cards=board.cards,
        metrics={metric.name: metric for metric in board.metrics},
        scale=format_times,
        counts=_counts(board),
        notes=board.notes,
        scenes=len(scenes),
        matrices=len(board.matrices),
    )


def page_data(board: Board, rankings: Sequence[Ranking], scenes: Sequence[Scene]) -> dict[str, Any]:
    """What the page's scripts read; entries as rows of plain values, since there may be ten thousand."""
    texts: dict[str, int] = {}
    cards = [asdict(card) for card in board.cards]
    return {
        "fields": ENTRY_FIELDS,
        "cards": cards,
        "metrics": {metric.name: asdict(metric) for metric in board.metrics},
        "entries": [_row(entry, texts) for entry in board.entries],
        "texts": list(texts),
        "matrices": [asdict(matrix) for matrix in board.matrices],
        "rankings": [asdict(ranking) for ranking in rankings],
        "scenes": [_scene(scene) for scene in scenes],
    }


def as_script(value: Mapping[str, Any]) -> str:
    """JSON that may stand in a script of an HTML page: nothing in it ends the script or begins a comment; infinity as
    "inf" and "-inf"."""
    text = json.dumps(json_value(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)
    for sign, code in (
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("\u2028", "\\u2028"),
        ("\u2029", "\\u2029"),
    ):
        text = text.replace(sign, code)
    return text


def _row(entry: Entry, texts: dict[str, int]) -> list[Any]:
    values = []
    for name in ENTRY_FIELDS:
        value = getattr(entry, name)
        if name in _SHARED:
            value = texts.setdefault(value, len(texts))
        elif isinstance(value, float):
            value = float(f"{value:.7g}")
        values.append(value)
    return values


def _scene(scene: Scene) -> dict[str, Any]:
    return {**asdict(scene), "shots": [asdict(shot) for shot in scene.shots]}


def _counts(board: Board) -> dict[str, int]:
    """Kind -> number of entries."""
    found: dict[str, int] = {}
    for entry in board.entries:
        kind = str(board.cards[entry.card].kind)
        found[kind] = found.get(kind, 0) + 1
    return found


def _asset(name: str) -> str:
    return (files("bench.leaderboard") / "template" / name).read_text(encoding="utf-8")
