"""From summary rows to the table model: order, printed values, marks, notes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis import RunFrames
from bench.analysis.aggregate import UNAVAILABLE_NOTE
from bench.analysis.origins import check_one_origin, check_one_set
from bench.analysis.signatures import check_one_protocol, signature_lines
from bench.api import UNTRAINED, MetricInfo, MetricRef, RequestError, RowInfo, Scale, Signature
from bench.report.beside import with_published
from bench.report.efficiency import with_costs
from bench.report.layout import AUTO, PER_IMAGE
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
from bench.report.per_image import with_images
from bench.report.ties import with_ties

FACTS: Mapping[str, Callable[[Table, pd.DataFrame, RunFrames], Table]] = {
    "efficiency": with_costs,
    "per-image": with_images,
    "reported": with_published,
}
"""Layout -> what adds the facts that it shows and that no other table holds: (table, its rows, the run) -> table."""
ROW_NOTES: list[Callable[[RowInfo], str]] = [
    lambda row: f"{row.display}: {row.resize_rule.rstrip('.')}." if row.resize_rule else "",
    lambda row: f"{row.display}: published weights, {row.cites.rstrip('.')}." if row.cites else "",
]
"""What stands under a table of a single row: a fact of `RowInfo` -> sentence, or "" where there is nothing to say."""
LITE_NOTE = "lite: weights trained by this project; not the paper's result."


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What the user may say of a table's looks; `caption` is plain text, never LaTeX."""

    layout: str = "auto"
    caption: str = ""
    label: str = ""
    significance: bool = False
    """Methods that cannot be told from the best image by image share its mark."""
    per_image: bool = False
    """A row per image: short for the layout of that name."""

    def __post_init__(self) -> None:
        """Take the layout of `per_image`; RequestError where another one is given too."""
        if self.per_image and self.layout not in (AUTO, PER_IMAGE):
            raise RequestError(f"--per-image is a layout of its own; leave out --layout {self.layout}")
        if self.per_image:
            object.__setattr__(self, "layout", PER_IMAGE)


def build_table(
    rows: pd.DataFrame,
    infos: Mapping[str, MetricInfo],
    *,
    frames: RunFrames | None = None,
    protocol: str | None = None,
    options: TableOptions | None = None,
) -> Table:
    """Make the table of some rows of a summary.

    Args:
        rows: SUMMARY_COLUMNS, already selected; their order is the order of the table. Metrics of one reference
            scale ("selfssim@8") are left out unless the rows hold nothing else; so are untrained variants.
        infos: metric -> direction and decimals; a metric that is not there gets four decimals and no rank.
        frames: What is known of the run: names of rows, protocols, origins, sets of images.
        protocol: The protocol to print; None: the one that all rows have in common.
        options: Caption and label.
    Raises:
        RequestError: the rows mix signatures, versions of a method or sets of images, or no row is left.
    """
    options = options or TableOptions()
    known = frames if frames is not None else RunFrames(records=pd.DataFrame(), planned=())
    plain = pd.Series([MetricRef.parse(m).reference is None for m in rows["metric"]], index=rows.index, dtype=bool)
    rows = rows.loc[plain] if plain.any() else rows
    trained = rows.loc[~untrained(rows, known)]
    if trained.empty:
        raise RequestError("nothing to put into a table: every method is untrained; give weights with --weights PATH")
    common = check_one_protocol(trained, known.protocols)
    check_one_origin(trained, known.origins, lambda method, variant: known.row(method, variant).display)
    check_one_set(trained, known.sets, lambda method, variant: known.row(method, variant).display)
    methods = _methods(trained, known)
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
    of_rows = _row_notes(rows, trained, known)
    notes = (*of_rows, *_notes(trained, metrics), *_cautions(trained, infos), *_flattered(table))
    table = replace(_ranked(table), notes=notes, row_notes=of_rows)
    add = FACTS.get(options.layout)
    table = table if add is None else add(table, trained, known)
    return with_ties(table, trained, known) if options.significance else table


def untrained(rows: pd.DataFrame, frames: RunFrames) -> pd.Series:
    """Which rows are of variants without trained weights."""
    pairs = zip(rows["method"], rows["variant"], strict=True)
    return pd.Series([frames.row(m, v).trained == UNTRAINED for m, v in pairs], index=rows.index, dtype=bool)


def _methods(rows: pd.DataFrame, frames: RunFrames) -> tuple[MethodRow, ...]:
    pairs = rows[["method", "variant"]].drop_duplicates().itertuples(index=False, name=None)
    known = ((m, v, frames.row(m, v)) for m, v in pairs)
    return tuple(MethodRow(m, v, row.display, row.minimised) for m, v, row in known)


def _info(name: str, infos: Mapping[str, MetricInfo]) -> MetricInfo | None:
    return infos.get(name) or infos.get(MetricRef.parse(name).name)


def _column(name: str, infos: Mapping[str, MetricInfo]) -> MetricColumn:
    info = _info(name, infos)
    if info is None:
        return MetricColumn(name, name, None, 4)
    display = str(MetricRef(info.display, MetricRef.parse(name).reference))
    return MetricColumn(name, display, info.direction, info.decimals)


def _cells(rows: pd.DataFrame, metrics: Sequence[MetricColumn]) -> dict[CellKey, TableCell]:
    decimals = {metric.name: metric.decimals for metric in metrics}
    cells: dict[CellKey, TableCell] = {}
    for line in rows.to_dict("records"):
        metric, mean, sd, note = str(line["metric"]), float(line["mean"]), float(line["seed_sd"]), str(line["note"])
        key = CellKey(line["dataset"], line["scale"], metric, line["method"], line["variant"])
        if note.startswith(UNAVAILABLE_NOTE):
            cell = TableCell(None, "", reason=note.removeprefix(UNAVAILABLE_NOTE))
        elif math.isnan(mean):
            cell = TableCell(None, f"{int(line['n'])}/{int(line['expected'])}", reason=note.partition(": ")[2])
        else:
            spread = "" if math.isnan(sd) else printed(sd, decimals[metric])
            cell = TableCell(mean, printed(mean, decimals[metric]), spread)
        cell = replace(
            cell,
            expected=int(line["expected"]),
            seeds=int(line["seeds"]),
            source=str(line["source"]),
            doubt=str(line["doubt"]),
        )
        if key not in cells or cells[key].value is None:
            cells[key] = cell
    return cells


def _ranked(table: Table) -> Table:
    """The table with its marks.

    Methods scored on different images are not ranked against each other, and a row is not ranked by a metric that it
    was trained by: the best of the others is the best.
    """
    cells = dict(table.cells)
    for dataset in table.datasets:
        for scale in table.scales:
            for metric in table.metrics:
                keys = {row: CellKey(dataset, scale, metric.name, row.method, row.variant) for row in table.methods}
                full = {row: cells[key] for row, key in keys.items() if key in cells and cells[key].value is not None}
                if len({(cell.expected, cell.source) for cell in full.values()}) > 1:
                    continue
                texts = {row: cell.text for row, cell in full.items() if not row.trained_by(metric.name)}
                marks = mark_printed(texts, metric.direction)
                for row, mark in marks.items():
                    if mark is not Mark.NONE:
                        cells[keys[row]] = replace(cells[keys[row]], mark=mark)
    return replace(table, cells=cells)


def _images(rows: pd.DataFrame) -> tuple[ImageCount, ...]:
    images: dict[str, dict[Scale, int]] = {}
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


def _cautions(rows: pd.DataFrame, infos: Mapping[str, MetricInfo]) -> list[str]:
    """What metrics of sets say of values of as few images as there are, each sentence once."""
    scored = rows.loc[rows["mean"].notna(), ["metric", "n", "signature"]].drop_duplicates()
    found = []
    for name, n, signature in scored.itertuples(index=False, name=None):
        info = _info(str(name), infos)
        if info is not None and info.caution is not None:
            # a value of a whole set is one value; its signature says of how many images
            found.append(info.caution(int(Signature.parse(str(signature)).value("n") or n)))
    return list(dict.fromkeys(sentence for sentence in found if sentence is not None))


def _flattered(table: Table) -> list[str]:
    """A sentence for every metric that some row was trained by."""
    found = []
    for metric in table.metrics:
        names = [row.display for row in table.methods if row.trained_by(metric.name)]
        if names:
            found.append(
                f"{metric.display} was part of the loss in the training of {', '.join(names)}: not ranked by it."
            )
    return found


def _row_notes(rows: pd.DataFrame, trained: pd.DataFrame, frames: RunFrames) -> tuple[str, ...]:
    """What is said of rows: their weights, their origin, and which are left out."""
    pairs = trained[["method", "variant"]].drop_duplicates().itertuples(index=False, name=None)
    shown = [frames.row(method, variant) for method, variant in pairs]
    notes = []
    lite = [info for info in shown if info.trained == "lite"]
    if lite:
        notes.append(LITE_NOTE)
    # a row that was given a name does not say it
    silent = [info.display for info in lite if "lite" not in info.display]
    if silent:
        notes.append(f"With lite weights: {', '.join(silent)}.")
    notes += [note for info in shown for of_row in ROW_NOTES if (note := of_row(info))]
    left = rows.loc[untrained(rows, frames), ["method", "variant"]].drop_duplicates()
    if len(left):
        names = [frames.row(m, v).display for m, v in left.itertuples(index=False, name=None)]
        notes.append(f"Left out because it has no trained weights: {', '.join(names)}.")
    return tuple(notes)


def _notes(trained: pd.DataFrame, metrics: Sequence[MetricColumn]) -> tuple[str, ...]:
    """What is said of marks."""
    notes = []
    unknown = [metric.display for metric in metrics if metric.direction is None]
    if unknown:
        notes.append(f"Not ranked, because its direction is not known here: {', '.join(unknown)}.")
    scored = trained.loc[trained["mean"].notna(), ["dataset", "scale", "metric", "expected", "source"]]
    if (scored.drop_duplicates().groupby(["dataset", "scale", "metric"]).size() > 1).any():
        notes.append("Where methods were scored on different images they are not ranked.")
    return tuple(notes)
