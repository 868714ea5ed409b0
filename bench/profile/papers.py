"""A profile in the form of two published tables, with what papers report beside it.

`across`: a method per column, time and parameters as rows (CASR, supplement, Table 1). `down`: a method per row,
parameters and a time per scale as columns (CasArbi, Table V).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.reported import ReportedRow, reported_rows, table_title
from bench.api import Direction, RequestError, Scale, format_times
from bench.profile.measured import Profile
from bench.profile.table import significant
from bench.report.latex import render_latex
from bench.report.layout import Grid, GridBlock, GridRow, Head
from bench.report.markdown import render_markdown
from bench.report.model import Table, TableCell

SECONDS, PARAMETERS = "seconds", "parameters_m"
"""Metrics of the reported tables that a profile measures."""
_HERE = "measured here"
_NONE = TableCell(None, "")


@dataclass(frozen=True)
class Cost:
    """One method as both forms show it.

    Attributes:
        name: As printed.
        source: Who measured it, for a heading.
        parameters: In millions; None where nobody says.
        seconds: scale -> seconds, as printed.
    """

    name: str
    source: str
    parameters: str | None
    seconds: Mapping[Scale, str]


def render_papers(profile: Profile, layout: str, output: str) -> str:
    """One of the two forms as text.

    Args:
        layout: A key of LAYOUTS.
        output: "tex" or "md".
    Raises:
        RequestError: another layout or output.
    """
    renderers = {"tex": render_latex, "md": render_markdown}
    if layout not in LAYOUTS:
        raise RequestError(f"unknown layout '{layout}'; choose --layout {', '.join(('full', *LAYOUTS))}")
    if output not in renderers:
        raise RequestError(f"layout {layout} is written as tex or md, not as '{output}'; choose --format tex or md")
    return renderers[output]([LAYOUTS[layout](profile)])


def across(profile: Profile) -> Grid:
    """Methods across."""
    costs, scales = _costs(profile), _scales(profile)
    times = [GridRow(f"Time {format_times(s)} (s)", tuple(_cell(c.seconds.get(s)) for c in costs)) for s in scales]
    counts = GridRow("Parameters (M)", tuple(_cell(cost.parameters) for cost in costs))
    sources = [cost.source for cost in costs]
    return Grid(
        table=_table(profile, "across"),
        groups=tuple(Head(source, span=sources.count(source)) for source in dict.fromkeys(sources)),
        columns=tuple(Head(cost.name) for cost in costs),
        blocks=(GridBlock(Head(), (*times, counts)),),
        stub="",
    )


def down(profile: Profile) -> Grid:
    """Methods down."""
    costs, scales = _costs(profile), _scales(profile)
    blocks = []
    for source in dict.fromkeys(cost.source for cost in costs):
        rows = [
            GridRow(cost.name, (_cell(cost.parameters), *(_cell(cost.seconds.get(scale)) for scale in scales)))
            for cost in costs
            if cost.source == source
        ]
        blocks.append(GridBlock(Head(source), tuple(rows)))
    return Grid(
        table=_table(profile, "down"),
        groups=(Head("Parameters"), Head("Time (s)", direction=Direction.LOWER, span=len(scales))),
        columns=(Head("(M)"), *(Head(scale=scale) for scale in scales)),
        blocks=tuple(blocks),
    )


LAYOUTS: Mapping[str, Callable[[Profile], Grid]] = {"across": across, "down": down}
"""Name -> its form."""


def _costs(profile: Profile) -> list[Cost]:
    """What was measured, then what papers report at the same scales, table by table."""
    measured = [
        Cost(
            row.display,
            _HERE,
            None if row.loading is None or row.loading.parameters is None else f"{row.loading.parameters / 1e6:.2f}",
            {task.scale: significant(task.spread.median) for task in row.measured},
        )
        for row in profile.methods
    ]
    return [*measured, *_reported(set(_scales(profile)))]


def _reported(scales: set[Scale]) -> Iterator[Cost]:
    rows = [row for row in reported_rows() if row.metric in (SECONDS, PARAMETERS) and row.value]
    for table in dict.fromkeys(row.name for row in rows):
        own = [row for row in rows if row.name == table]
        if not scales & {row.scale for row in own if row.metric == SECONDS}:
            continue
        for method in dict.fromkeys(row.method for row in own):
            theirs = [row for row in own if row.method == method]
            parameters = next((row.value for row in theirs if row.metric == PARAMETERS), None)
            times = {row.scale: row.value for row in theirs if row.metric == SECONDS and row.scale in scales}
            yield Cost(method, _source(own), parameters, {s: value for s, value in times.items() if s is not None})


def _source(rows: Sequence[ReportedRow]) -> str:
    """Heading of a reported table: what it was measured on, as the note of its first time says."""
    hardware = next((row.note.partition(";")[0] for row in rows if row.metric == SECONDS and row.note), "")
    return f"reported, {hardware}" if hardware else "reported"


def _scales(profile: Profile) -> list[Scale]:
    return sorted({task.scale for row in profile.methods for task in row.measured})


def _cell(text: str | None) -> TableCell:
    return _NONE if text is None else TableCell(float(text), text)


def _table(profile: Profile, form: str) -> Table:
    """What stands around the grid."""
    sides = dict.fromkeys(f"{task.lr[1]}×{task.lr[0]}" for row in profile.methods for task in row.measured)
    scales = _scales(profile)
    notes = [
        f"Measured here: {profile.machine.words}; LR {', '.join(sides)}; median of {profile.calls} after "
        f"{profile.warmup} of warm-up, one process per method."
    ]
    tables = [row for row in reported_rows() if row.metric == SECONDS and row.scale in scales]
    for one in {row.name: row for row in tables}.values():
        notes.append(f"Reported: {table_title(one.name)}, {one.dataset}, as printed there.")
    failed = [f"{row.display} failed: {row.failure}." for row in profile.methods if row.failure]
    return Table(
        datasets=(),
        scales=tuple(scales),
        metrics=(),
        methods=(),
        cells={},
        protocol="",
        images=(),
        signatures=(),
        notes=(*notes, *failed),
        caption="Inference time and number of parameters.",
        label=f"tab:cost-{form}",
    )
