"""A published table in its paper's own layout, with marks computed from the printed numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from bench.analysis.reported import TRAINED, ReportedRow, reported_rows, reported_table, table_title
from bench.api import Direction, MetricInfo, MetricRef, Signature, format_scale, format_times
from bench.metrics.catalog import known_infos
from bench.report.exports import Output, render
from bench.report.grid import Grid, GridBlock, GridRow, Head
from bench.report.model import Mark, MethodRow, MetricColumn, Table, TableCell, mark_printed

_CITATION = re.compile(r"\s*\[\d+\]")
_UNITS = {"seconds": "Time (s)", "parameters_m": "Parameters (M)"}


@dataclass(frozen=True)
class Place:
    """Where a printed number stands: the block of rows, its row, the group of columns and its column."""

    block: Head
    row: str
    group: Head
    column: Head


Layout = Callable[[ReportedRow, Mapping[str, MetricInfo]], Place]


def render_reported(name: str, output: str | Output) -> str:
    """A published table.

    Args:
        name: "casr_supplement/table2".
        output: As for `bench.report.exports.render`; "csv" are the rows as they are stored.
    Raises:
        RequestError: no such table (names the nearest), or an unknown output.
    """
    rows = reported_table(name)
    if output == "csv":
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([list(ReportedRow.model_fields), *map(_stored, rows)])
        return text.getvalue()
    return render(output, lambda room: [reported_grid(rows)])


def render_names() -> str:
    """Every published table: its name, its numbers and what they are of."""
    lines = []
    for name, rows in _by_table(reported_rows()).items():
        metrics = ", ".join(dict.fromkeys(MetricRef.parse(row.metric).name for row in rows))
        sets = ", ".join(dict.fromkeys(row.dataset for row in rows))
        lines.append(f"{name:<24}{sum(bool(row.value) for row in rows):>4}  {sets}: {metrics}")
    return "\n".join([*lines, "", "bench table --reported NAME prints one of them."]) + "\n"


def reported_grid(rows: Sequence[ReportedRow]) -> Grid:
    """A table arranged as its paper has it.

    Args:
        rows: All rows of one table.
    """
    infos = known_infos(row.metric for row in rows)
    layout = LAYOUTS.get(rows[0].name, _methods_down)
    places = {id(row): layout(row, infos) for row in rows}
    marks = _marks(rows)
    columns = list(dict.fromkeys((p.group, p.column) for p in places.values()))
    columns.sort(key=lambda c: [place.group for place in places.values()].index(c[0]))  # stable: groups stay together
    cells = {
        (place.block, place.row, place.group, place.column): _cell(row, marks.get(id(row), Mark.NONE))
        for row, place in ((row, places[id(row)]) for row in rows)
    }
    blocks = []
    for block in dict.fromkeys(place.block for place in places.values()):
        names = dict.fromkeys(place.row for place in places.values() if place.block == block)
        blocks.append(
            GridBlock(
                block,
                tuple(
                    GridRow(name, tuple(cells.get((block, name, *column), TableCell(None, "")) for column in columns))
                    for name in names
                ),
            )
        )
    groups = [group for group, _ in columns]
    spans = [Head(g.text, g.scale, g.direction, groups.count(g)) for g in dict.fromkeys(groups)]
    return Grid(
        table=_table(rows, infos),
        groups=tuple(spans) if any(group.plain for group in spans) else (),
        columns=tuple(column for _, column in columns),
        blocks=tuple(blocks),
        stub=_STUBS.get(rows[0].name, "Method"),
    )


def _table(rows: Sequence[ReportedRow], infos: Mapping[str, MetricInfo]) -> Table:
    """What stands around the grid: caption, label, and what the paper states of the protocol."""
    one = rows[0]
    number = one.table.removeprefix("table")
    metrics = tuple(
        MetricColumn(name, _display(name, infos), None, 0)
        for name in dict.fromkeys(MetricRef.parse(row.metric).name for row in rows)
    )
    return Table(
        datasets=tuple(dict.fromkeys(row.dataset for row in rows)),
        scales=tuple(dict.fromkeys(row.scale for row in rows if row.scale is not None)),
        metrics=metrics,
        methods=tuple(dict.fromkeys(MethodRow(row.method, row.variant, _label(row)) for row in rows)),
        cells={},
        protocol="",
        images=(),
        signatures=(),
        notes=(*_stated(rows, infos), *_remarks(rows, infos)),
        caption=f"Reported: {table_title(one.name)}, as printed there.",
        label=f"tab:{one.source}-{number}",
    )


def _stated(rows: Sequence[ReportedRow], infos: Mapping[str, MetricInfo]) -> Iterator[str]:
    """What the paper says of how its numbers were computed, one sentence per way and sets."""
    ways: dict[tuple[str, tuple[str, ...]], dict[str, None]] = {}
    for dataset in dict.fromkeys(row.dataset for row in rows):
        for row in (row for row in rows if row.dataset == dataset):
            tokens = Signature.parse(row.signature).without("from").tokens[1:]
            ways.setdefault((dataset, tokens), {})[_display(MetricRef.parse(row.metric).name, infos)] = None
    merged: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (dataset, tokens), metrics in ways.items():
        merged.setdefault((tokens, tuple(metrics)), []).append(dataset)
    for (tokens, metrics), datasets in merged.items():
        where = f" ({', '.join(datasets)})" if len(merged) > 1 else ""
        said = ", ".join(tokens) if tokens else "the paper does not say how"
        yield f"{', '.join(metrics)}{where}: {said}."


def _remarks(rows: Sequence[ReportedRow], infos: Mapping[str, MetricInfo]) -> Iterator[str]:
    """What is noted of numbers, with whose they are where it is not said of the whole table."""
    for note in dict.fromkeys(row.note for row in rows if row.note):
        own = [row for row in rows if row.note == note]
        others = [row for row in rows if row.note != note]
        sets, labels = ({getattr(row, name) for row in others} for name in ("dataset", "label"))
        if not others:
            whose = ""
        elif not sets & {row.dataset for row in own}:
            whose = ", ".join(dict.fromkeys(row.dataset for row in own))
        elif not labels & {row.label for row in own}:
            whose = ", ".join(dict.fromkeys(_label(row) for row in own))
        else:
            cells = [
                f"{_label(row)} {row.dataset} {_scale(row).plain} {_display(MetricRef.parse(row.metric).name, infos)}"
                for row in own
            ]
            whose = ", ".join(dict.fromkeys(cells if len(cells) <= 3 else [_label(row) for row in own]))
        yield f"{whose}: {note}." if whose else f"{note[:1].upper()}{note[1:]}."


def _marks(rows: Iterable[ReportedRow]) -> dict[int, Mark]:
    """Best and second among the printed values of each dataset, scale and metric."""
    cells: dict[tuple[object, ...], list[ReportedRow]] = {}
    for row in rows:
        if row.value and not _of_itself(row):
            cells.setdefault((row.dataset, row.scale, row.metric), []).append(row)
    marks: dict[int, Mark] = {}
    for cell in cells.values():
        own = {MethodRow(row.method, row.variant, row.label): row for row in cell}
        marked = mark_printed({key: row.value for key, row in own.items()}, cell[0].direction)
        marks |= {id(own[key]): mark for key, mark in marked.items()}
    return marks


def _of_itself(row: ReportedRow) -> bool:
    """Whether a comparison of two scales has one scale on both sides."""
    reference = MetricRef.parse(row.metric).reference
    return reference is not None and reference == row.scale


def _cell(row: ReportedRow, mark: Mark) -> TableCell:
    return TableCell(row.number if row.value else None, row.value, mark=mark)


def _methods_down(row: ReportedRow, infos: Mapping[str, MetricInfo]) -> Place:
    """Rows are methods, groups scales, columns metrics, blocks datasets."""
    return Place(Head(row.dataset), _label(row), _scale(row), _metric(row, infos))


def _scales_down(row: ReportedRow, infos: Mapping[str, MetricInfo]) -> Place:
    """Rows are methods, groups datasets, columns metrics, blocks scales."""
    return Place(_scale(row), _label(row), Head(row.dataset), _metric(row, infos))


def _metrics_down(row: ReportedRow, infos: Mapping[str, MetricInfo]) -> Place:
    """Rows are metrics, columns methods, blocks datasets."""
    return Place(Head(row.dataset), _metric(row, infos).plain, Head(), Head(_label(row)))


def _references_down(row: ReportedRow, infos: Mapping[str, MetricInfo]) -> Place:
    """Blocks are methods, rows the scales that a comparison starts from, columns those that it goes to."""
    reference = MetricRef.parse(row.metric).reference
    of_itself = row.scale if reference is None else reference
    name = f"{format_times(of_itself)}" if of_itself is not None else ""
    if reference is None:
        return Place(Head(_label(row)), name, Head(), _metric(row, infos))
    return Place(Head(_label(row)), name, Head("SelfSSIM", direction=Direction.HIGHER), _scale(row))


LAYOUTS: Mapping[str, Layout] = {
    "blind_assr/table1": _scales_down,
    "casarbi/table2": _references_down,
    "casarbi/table6": _references_down,
    "casr_supplement/table1": _metrics_down,
    "cassr/table1": _metrics_down,
}
"""Table -> how its paper arranges it, where rows are not methods and groups scales."""
_STUBS = {
    "casarbi/table2": "Scale",
    "casarbi/table6": "Scale",
    "casr_supplement/table1": "",
    "casr_supplement/table6": "Decomposition",
    "cassr/table1": "Metric",
    "cassr/table2": "Reference",
    "cassr/table3": "Prompt",
}


def _label(row: ReportedRow) -> str:
    """The row as printed, without the numbers of citations, which are another paper's, and with its training sets."""
    trained = row.variant.removeprefix(TRAINED) if row.variant.startswith(TRAINED) else ""
    return _CITATION.sub("", row.label) + (f" ({trained})" if trained else "")


def _scale(row: ReportedRow) -> Head:
    return Head("scale not stated") if row.scale is None else Head(scale=row.scale)


def _metric(row: ReportedRow, infos: Mapping[str, MetricInfo]) -> Head:
    return Head(_display(MetricRef.parse(row.metric).name, infos), direction=row.direction)


def _display(name: str, infos: Mapping[str, MetricInfo]) -> str:
    return infos[name].display if name in infos else _UNITS.get(name, name)


def _by_table(rows: Iterable[ReportedRow]) -> dict[str, list[ReportedRow]]:
    found: dict[str, list[ReportedRow]] = {}
    for row in rows:
        found.setdefault(row.name, []).append(row)
    return found


def _stored(row: ReportedRow) -> list[str]:
    values = row.model_dump(mode="json")
    values["scale"] = "" if row.scale is None else format_scale(row.scale)
    return [str(value) for value in values.values()]
