"""From the result of a run to its exports: CSV files of the whole folder, tables of what was asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from bench.analysis import Planned, RunFrames, frames_of
from bench.analysis.planned import cell_tuple
from bench.api import MetricRef, RecordRow
from bench.engine.request import RunRequest
from bench.engine.rows import WHOLE_SET
from bench.engine.run import RunResult
from bench.engine.store import cannot_write
from bench.metrics.catalog import known_infos
from bench.report.exports import write_exports

EXPORTS = ("records.csv", "summary.csv", "table.tex", "table.md")


def folder_frames(result: RunResult) -> RunFrames:
    """Everything that the run folder holds."""
    return frames_of(result.rows, result.manifest, metrics=result.plan.request.metric_names)


def asked_frames(result: RunResult) -> RunFrames:
    """The units, metrics and signatures of this request alone."""
    request = result.plan.request
    signatures = {signature for cell in result.plan.cells for signature in cell.signatures.values()}
    images = {cell_tuple(cell.id): {WHOLE_SET, *(unit.sample.id for unit in cell.units)} for cell in result.plan.cells}
    place = {name: index for index, name in enumerate(request.metric_names)}
    rows: list[RecordRow] = []
    for cell, own in groupby(result.rows.rows, _cell_of):  # rows of a cell stand together
        asked = images.get(cell, set())
        rows += [row for row in own if row.image in asked and row.signature in signatures and _name(row) in place]
    rows.sort(key=lambda row: place[_name(row)])
    frames = frames_of(replace(result.rows, rows=rows), result.manifest, metrics=request.metric_names)
    pairs = {(cell_tuple(cell.id), cell.set_id) for cell in result.plan.cells}
    planned = [plan for plan in frames.planned if (plan.cell, plan.source) in pairs]
    return replace(
        frames,
        planned=tuple(_asked_plan(plan, signatures, request) for plan in planned),
        protocols=dict.fromkeys(signatures, (request.protocol.name,)),
        warnings=tuple(result.tally.warnings),
    )


_cell_of = attrgetter("method", "variant", "dataset", "scale", "seed")


def _name(row: RecordRow) -> str:
    """The metric of a row, without its reference scale."""
    return MetricRef.parse(row.metric).name


def needs_exports(result: RunResult) -> bool:
    """Whether the exports that are there, if they are, say something else than this run."""
    return not (result.unchanged and all((result.plan.request.out / name).is_file() for name in EXPORTS))


def write_all(result: RunResult, everything: RunFrames, asked: RunFrames) -> None:
    """Write records.csv, summary.csv, table.tex and table.md.

    Raises:
        RequestError: the disk refuses; the old files stay.
    """
    out = result.plan.request.out
    try:
        write_exports(out, everything, known_infos(everything.summary["metric"]), asked=asked)
    except OSError as fault:
        raise cannot_write(Path(fault.filename2 or fault.filename or out), fault) from None


def _asked_plan(plan: Planned, signatures: set[str], request: RunRequest) -> Planned:
    measures = {
        signature: metric
        for signature, metric in (plan.measures or {}).items()
        if metric in request.metric_names and _of_request(signature, signatures)
    }
    return replace(plan, measures=measures, metrics=tuple(m for m in plan.metrics if m in request.metric_names))


def _of_request(signature: str, signatures: set[str]) -> bool:
    """Whether a signature, or the one of which it is the mean over reference scales, belongs to a request."""
    from bench.api import Signature

    return signature in signatures or any(Signature.parse(s).without("ref").text == signature for s in signatures)
