"""The layout `reported`: what papers print beside what was measured, their difference, and why the two may differ."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from bench.analysis import RunFrames
from bench.analysis.reported import TRAINED, ReportedRow, reported_rows, table_title
from bench.api import RequestError, Scale, Signature, format_scale, format_times, weights_label
from bench.registry import METHODS
from bench.report.grid import Grid, GridBlock, GridRow, Head
from bench.report.model import (
    NOT_HERE,
    CellKey,
    Mark,
    MethodRow,
    MetricColumn,
    Published,
    Table,
    TableCell,
    signed,
)

_NOTE = "Δ: measured minus reported."


def with_published(table: Table, rows: pd.DataFrame, frames: RunFrames) -> Table:
    """The table with the papers' numbers of its cells.

    Args:
        table: Made of `rows`.
        rows: The summary rows.
        frames: The run.
    Raises:
        RequestError: no paper has a number of any of these cells.
    """
    called: dict[str, list[MethodRow]] = {}
    for row in table.methods:
        # options make another method than the paper's, weights do not
        if row.variant == weights_label(row.variant):
            called.setdefault(_paper_name(row, frames), []).append(row)
    signatures = {
        CellKey(line["dataset"], line["scale"], line["metric"], line["method"], line["variant"]): line["signature"]
        for line in rows.to_dict("records")
    }
    found = {}
    for line in reported_rows():
        if not line.value or line.scale is None or not _itself(line):
            continue
        for row in called.get(line.method, ()):
            key = CellKey(line.dataset, line.scale, line.metric, row.method, row.variant)
            if key in signatures and (line.name, key) not in found:
                differs = how_they_differ(Signature.parse(line.signature), Signature.parse(str(signatures[key])))
                decimals = len(line.value.partition(".")[2])
                found[line.name, key] = Published(
                    value=line.number, text=line.value, decimals=decimals, differs=differs
                )
    if not found:
        raise RequestError(
            f"--layout reported: no published table has a number of {', '.join(called)} on {', '.join(table.datasets)} "
            f"at {', '.join(f'x{format_scale(scale)}' for scale in table.scales)}; 'bench table --reported' lists them"
        )
    sources = [f"{name}: {table_title(name)}." for name in dict.fromkeys(name for name, _ in found)]
    return replace(table, published=found, notes=(_NOTE, *sources, *table.notes))


def how_they_differ(reported: Signature, measured: Signature) -> str:
    """In what a printed and a measured number are made differently, or may be, in words.

    Args:
        reported: The metric, and the tokens that the paper states.
        measured: A whole signature.
    """
    cited = "; it cites another paper's number" if reported.value("from") == "cited" else ""
    stated = reported.without("from").tokens[1:]
    if not stated:
        return f"the paper does not say how it was computed{cited}"
    other = [token for token in stated if not _agrees(token, measured)]
    if not other:
        return f"the paper states {', '.join(stated)} and nothing else{cited}"
    pairs = [f"{token} (measured: {_counterpart(token, measured)})" for token in other]
    return f"the paper states {', '.join(pairs)}{cited}"


def beside_reported(table: Table, title: str) -> Grid:
    """Rows are methods, groups scales with a metric, three columns each; a block per dataset and printed table."""
    places = [
        (scale, metric)
        for scale in table.scales
        for metric in table.metrics
        if any((key.scale, key.metric) == (scale, metric.name) for _, key in table.published)
    ]
    blocks = []
    for dataset in table.datasets:
        for name in dict.fromkeys(name for name, key in table.published if key.dataset == dataset):
            lines = [
                GridRow(row.display, tuple(_cells(table, name, dataset, places, row)))
                for row in table.methods
                if any(key.dataset == dataset and of == name and _is_of(key, row) for of, key in table.published)
            ]
            blocks.append(GridBlock(Head(f"{dataset}, {name}"), tuple(lines)))
    return Grid(
        table=table,
        groups=tuple(
            Head(f"{format_times(scale)} {metric.display}", direction=metric.direction, span=3)
            for scale, metric in places
        ),
        columns=tuple(Head(text) for _ in places for text in ("reported", "measured", "Δ")),
        blocks=tuple(blocks),
        title=title,
    )


def _cells(
    table: Table, name: str, dataset: str, places: list[tuple[Scale, MetricColumn]], row: MethodRow
) -> list[TableCell]:
    """Reported, measured and their difference, place by place; best and second are of another comparison."""
    cells = []
    for scale, metric in places:
        key = CellKey(dataset, scale, metric.name, row.method, row.variant)
        published, measured = table.published.get((name, key)), table.cells.get(key)
        printed = TableCell(None, "") if published is None else TableCell(published.value, published.text)
        mine = NOT_HERE if measured is None else replace(measured, mark=Mark.NONE)
        difference = TableCell(None, "")
        if published is not None and mine.value is not None and math.isfinite(mine.value):
            value = mine.value - published.value
            text = signed(value, min(published.decimals, metric.decimals))
            difference = TableCell(value, text, doubt=published.differs)
        cells += [printed, mine, difference]
    return cells


def _paper_name(row: MethodRow, frames: RunFrames) -> str:
    """What papers call the method: the display name that it is registered with."""
    known = METHODS.find(row.method)
    return known.info.display if known is not None else frames.row(row.method, row.variant).display


def _itself(line: ReportedRow) -> bool:
    """Whether a printed row is of the method as it is, and of no ablation."""
    return not line.variant or line.variant.startswith(TRAINED)


def _is_of(key: CellKey, row: MethodRow) -> bool:
    return (key.method, key.variant) == (row.method, row.variant)


def _named(token: str) -> str:
    name, colon, _ = token.partition(":")
    return name if colon else ""


def _agrees(token: str, measured: Signature) -> bool:
    """Whether a stated token holds of the measured number; papers say "y" of any luma."""
    if measured.has(token):
        return True
    return not _named(token) and any(own.startswith(token) for own in measured.tokens[1:] if not _named(own))


def _counterpart(token: str, measured: Signature) -> str:
    """What the measured signature says instead: the token of the same name, or its unnamed ones."""
    name = _named(token)
    value = measured.value(name) if name else None
    if name:
        return f"{name}:{value}" if value is not None else f"no {name}"
    return ", ".join(own for own in measured.tokens[1:-1] if not _named(own)) or "nothing of the kind"
