"""From summary rows to the table model: order, printed values, marks, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis.aggregate import UNAVAILABLE_NOTE
from bench.analysis.signatures import check_one_protocol, signature_lines
from bench.api import MetricInfo, MetricRef, RequestError, is_untrained, weights_label
from bench.report.model import (
    CellKey,
    ImageCount,
    Mark,
    MethodRow,
    MetricColumn,
    Table,
    TableCell,
    mark_printed,
    printed,
)

LITE_NOTE = "lite: weights trained by this project; not the paper's result."


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What the user may say of a table's looks; `caption` is plain text, never LaTeX."""

    layout: str = "auto"
    caption: str = ""
    label: str = ""


def build_table(
    rows: pd.DataFrame,
    infos: Mapping[str, MetricInfo],
    *,
    displays: Mapping[tuple[str, str], str] | None = None,
    minimised: Mapping[tuple[str, str], Sequence[str]] | None = None,
    protocols: Mapping[str, Sequence[str]] | None = None,
    protocol: str | None = None,
    options: TableOptions | None = None,
) -> Table:
    """Make the table of some rows of a summary.

    Args:
        rows: SUMMARY_COLUMNS, already selected; their order is the order of the table. Metrics of one reference
            scale ("selfssim@8") are left out unless the rows hold nothing else; so are untrained variants.
        infos: metric -> direction and decimals; a metric that is not there gets four decimals and no rank.
        displays: (method, variant) -> printed name; else "method (variant)".
        minimised: (method, variant) -> metrics that were part of its training's loss, which a note says.
        protocols: signature -> names of the protocols that give it.
        protocol: The protocol to print; None: the one that all rows have in common.
        options: Caption and label.
    Raises:
        RequestError: the rows mix signatures, or no row is left.
    """
    options = options or TableOptions()
    plain = pd.Series([MetricRef.parse(m).reference is None for m in rows["metric"]], index=rows.index, dtype=bool)
    rows = rows.loc[plain] if plain.any() else rows
    trained = rows.loc[~untrained(rows)]
    if trained.empty:
        raise RequestError("nothing to put into a table: every method is untrained; give weights with --weights PATH")
    common = check_one_protocol(trained, protocols or {})
    names = displays or {}
    methods = _methods(trained, names)
    metrics = tuple(_column(name, infos) for name in dict.fromkeys(trained["metric"]))
    table = Table(
        datasets=tuple(dict.fromkeys(trained["dataset"])),
        scales=tuple(dict.fromkeys(trained["scale"])),
        metrics=metrics,
        methods=methods,
        cells=_cells(trained, metrics),
        protocol=protocol or (common[0] if common else ""),
        images=_images(trained),
        signatures=tuple(signature_lines(trained)),
        notes=(),
        caption=options.caption,
        label=options.label,
    )
    return replace(_ranked(table), notes=(*_notes(rows, trained, metrics, names), *_flattered(table, minimised or {})))


def untrained(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of variants without trained weights."""
    return pd.Series([is_untrained(each) for each in rows["variant"]], index=rows.index, dtype=bool)


def _methods(rows: pd.DataFrame, displays: Mapping[tuple[str, str], str]) -> tuple[MethodRow, ...]:
    pairs = rows[["method", "variant"]].drop_duplicates().itertuples(index=False, name=None)
    return tuple(MethodRow(m, v, _display(m, v, displays)) for m, v in pairs)


def _display(method: str, variant: str, displays: Mapping[tuple[str, str], str]) -> str:
    return displays.get((method, variant)) or (f"{method} ({variant})" if variant else method)


def _column(name: str, infos: Mapping[str, MetricInfo]) -> MetricColumn:
    ref = MetricRef.parse(name)
    info = infos.get(name) or infos.get(ref.name)
    if info is None:
        return MetricColumn(name, name, None, 4)
    display = str(MetricRef(info.display, ref.reference))
    return MetricColumn(name, display, info.direction, info.decimals)


def _cells(rows: pd.DataFrame, metrics: Sequence[MetricColumn]) -> dict[CellKey, TableCell]:
    decimals = {metric.name: metric.decimals for metric in metrics}
    columns = ["dataset", "scale", "metric", "method", "variant", "mean", "seed_sd", "n", "expected", "seeds", "note"]
    cells: dict[CellKey, TableCell] = {}
    for dataset, scale, metric, method, variant, mean, sd, n, expected, seeds, note in rows[columns].itertuples(
        index=False, name=None
    ):
        key = CellKey(dataset, scale, metric, method, variant)
        if str(note).startswith(UNAVAILABLE_NOTE):
            cell = TableCell(None, "", reason=str(note).removeprefix(UNAVAILABLE_NOTE))
        elif pd.isna(mean):
            cell = TableCell(None, f"{int(n)}/{int(expected)}")
        else:
            spread = "" if pd.isna(sd) else printed(float(sd), decimals[metric])
            cell = TableCell(float(mean), printed(float(mean), decimals[metric]), spread)
        cell = replace(cell, expected=int(expected), seeds=int(seeds))
        if key not in cells or cells[key].value is None:
            cells[key] = cell
    return cells


def _ranked(table: Table) -> Table:
    """The table with its marks; methods scored on different numbers of images are not ranked against each other."""
    cells = dict(table.cells)
    for dataset in table.datasets:
        for scale in table.scales:
            for metric in table.metrics:
                keys = {row: CellKey(dataset, scale, metric.name, row.method, row.variant) for row in table.methods}
                full = {row: cells[key] for row, key in keys.items() if key in cells and cells[key].value is not None}
                if len({cell.expected for cell in full.values()}) > 1:
                    continue
                marks = mark_printed({row: cell.text for row, cell in full.items()}, metric.direction)
                for row, mark in marks.items():
                    if mark is not Mark.NONE:
                        cells[keys[row]] = replace(cells[keys[row]], mark=mark)
    return replace(table, cells=cells)


def _images(rows: pd.DataFrame) -> tuple[ImageCount, ...]:
    images: dict[str, dict[float, int]] = {}
    for dataset, scale, expected in rows[["dataset", "scale", "expected"]].itertuples(index=False, name=None):
        own = images.setdefault(dataset, {})
        own[scale] = max(own.get(scale, 0), int(expected))
    found = []
    for dataset, own in images.items():
        numbers = list(dict.fromkeys(own.values()))
        for number in numbers:
            scales = () if len(numbers) == 1 else tuple(sorted(s for s in own if own[s] == number))
            found.append(ImageCount(dataset, scales, number))
    return tuple(found)


def _flattered(table: Table, minimised: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    """A sentence for every metric that some row was trained by."""
    found = []
    for metric in table.metrics:
        names = [row.display for row in table.methods if metric.name in minimised.get((row.method, row.variant), ())]
        if names:
            found.append(f"{metric.display} was part of the loss in the training of {', '.join(names)}.")
    return found


def _notes(
    rows: pd.DataFrame,
    trained: pd.DataFrame,
    metrics: Sequence[MetricColumn],
    displays: Mapping[tuple[str, str], str],
) -> tuple[str, ...]:
    notes = []
    if any(weights_label(variant) == "lite" for variant in trained["variant"]):
        notes.append(LITE_NOTE)
    left = rows.loc[untrained(rows), ["method", "variant"]].drop_duplicates()
    if len(left):
        names = [_display(m, v, displays) for m, v in left.itertuples(index=False, name=None)]
        notes.append(f"Left out because it has no trained weights: {', '.join(names)}.")
    unknown = [metric.display for metric in metrics if metric.direction is None]
    if unknown:
        notes.append(f"Not ranked, because its direction is not known here: {', '.join(unknown)}.")
    scored = trained.loc[trained["mean"].notna(), ["dataset", "scale", "metric", "expected"]].drop_duplicates()
    if len(scored.drop_duplicates(["dataset", "scale", "metric"])) < len(scored):
        notes.append("Where methods were scored on different numbers of images they are not ranked.")
    return tuple(notes)
