"""Tables of texts: what is no table of means, as text for a terminal, Markdown, LaTeX, CSV or JSON."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.analysis.frame_csv import frame_csv
from bench.api import RequestError
from bench.report.escape import latex, markdown
from bench.report.grid import text_width
from bench.report.latex import document_part, floating

FORMATS = {"text": "text", "md": "md", "markdown": "md", "tex": "tex", "latex": "tex", "csv": "csv", "json": "json"}
"""What may be asked for -> what it is."""
_WIDTH = 80
_MINUS = re.compile(r"(?<![\w.)])-(?=\.?\d)")


@dataclass(frozen=True)
class PlainBlock:
    """Rows under one title; every row has a text per column."""

    title: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class PlainTable:
    """Texts in columns, what stands below them, and the numbers behind them.

    Attributes:
        caption: Above it, as plain text.
        label: For LaTeX.
        head: Headings.
        blocks: In order.
        left: Columns that are set to the left, counted from the left; numbers are set to the right.
        notes: Sentences below.
        records: A mapping of plain values per line, for CSV and JSON.
        facts: What JSON says of all of them.
    """

    caption: str
    label: str
    head: Sequence[str]
    blocks: Sequence[PlainBlock]
    left: int = 1
    notes: Sequence[str] = ()
    records: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def render_plain(table: PlainTable, output: str) -> str:
    """The table as text.

    Args:
        output: A key of FORMATS.
    Raises:
        RequestError: another one.
    """
    if output not in FORMATS:
        raise RequestError(f"unknown format '{output}'; choose --format text, md, tex, csv or json")
    makers = {"text": _text, "md": _markdown, "tex": _latex, "csv": _csv, "json": _json}
    return makers[FORMATS[output]](table)


def _text(table: PlainTable) -> str:
    rows = [row for block in table.blocks for row in block.rows]
    widths = _widths([table.head, *rows])
    lines = [*textwrap.wrap(table.caption, _WIDTH), "", _aligned(table.head, widths, table.left)]
    for block in table.blocks:
        lines += [block.title] if block.title else []
        lines += [_aligned(row, widths, table.left) for row in block.rows]
    lines.append("")
    for note in table.notes:
        lines += textwrap.wrap(note, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _markdown(table: PlainTable) -> str:
    titled = any(block.title for block in table.blocks)
    rows = [[*([""] if titled else []), *map(markdown, table.head)]]
    for block in table.blocks:
        rows += [[*([markdown(block.title)] if titled else []), *map(markdown, row)] for row in block.rows]
    left = table.left + titled
    widths = [max(3, width) for width in _widths(rows)]
    rule = [":" + "-" * (w - 1) if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
    padded = [_cells(row, widths, left) for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in [padded[0], rule, *padded[1:]]]
    notes = [f"- {markdown(note)}" for note in table.notes]
    return "\n".join([f"**{markdown(table.caption)}**", "", *lines, "", *notes]) + "\n"


def _latex(table: PlainTable) -> str:
    columns = "l" * table.left + "r" * (len(table.head) - table.left)
    body = [rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}", r"\toprule", _latex_row(table.head)]
    for block in table.blocks:
        body.append(r"\midrule")
        if block.title:
            body.append(rf"\multicolumn{{{len(table.head)}}}{{@{{}}l}}{{\textit{{{latex(block.title)}}}}} \\")
        body += [_latex_row(row) for row in block.rows]
    body += [r"\bottomrule", r"\end{tabular}"]
    widths = _widths([table.head, *(row for block in table.blocks for row in block.rows)])
    text = floating(
        body,
        caption=latex(table.caption),
        label=table.label,
        # a signature is one long word
        notes=["{}" + latex(note).replace(r"\textbar{}", r"\textbar{}\allowbreak{}") for note in table.notes],
        width=text_width(widths),
    )
    return document_part([text])


def _latex_row(row: Sequence[str]) -> str:
    """The cells; a hyphen before a digit is a minus sign."""
    return " & ".join("{}" + latex(_MINUS.sub("−", text)) for text in row) + r" \\"


def _csv(table: PlainTable) -> str:
    return frame_csv(pd.DataFrame([dict(record) for record in table.records]))


def _json(table: PlainTable) -> str:
    values = {**table.facts, "rows": [dict(record) for record in table.records], "notes": list(table.notes)}
    return json.dumps(json_value(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def json_value(value: Any) -> Any:
    """JSON knows no infinity and no NaN."""
    if isinstance(value, Mapping):
        return {str(key): json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]


def _cells(row: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    return [
        text.ljust(width) if i < left else text.rjust(width)
        for i, (text, width) in enumerate(zip(row, widths, strict=True))
    ]


def _aligned(row: Sequence[str], widths: Sequence[int], left: int) -> str:
    return "  ".join(_cells(row, widths, left)).rstrip()
