"""From the result of a run to its four exports: CSV files of the whole folder, tables of what was asked for."""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.expected import parse_expected
from bench.analysis.frames import RunFrames, parse_displays, parse_minimised, parse_protocols, records_frame
from bench.api import CellId, MetricRef
from bench.engine.crossing import WHOLE_SET
from bench.engine.run import RunResult
from bench.metrics.catalog import metric_info
from bench.report.exports import write_exports


def write_all(result: RunResult) -> str:
    """Write records.csv, summary.csv, table.tex and table.md; the Markdown table is returned.

    The CSV files hold everything in the run folder. The tables hold the units, metrics and signatures of this request.
    """
    request = result.plan.request
    run = result.run
    everything = RunFrames(
        records=records_frame(result.rows),
        expected=parse_expected(run["expected"], "run.json"),
        unavailable=result.metrics.unavailable,
        displays=parse_displays(run["displays"]),
        minimised=parse_minimised(run["minimised"]),
        protocols=parse_protocols(run["signatures"]),
        request=run["request"],
    )
    asked = replace(
        everything,
        records=records_frame(_asked_rows(result)),
        expected=parse_expected(result.plan.expected(), "the plan"),
        protocols=dict.fromkeys(_asked_signatures(result), (request.protocol.name,)),
    )
    infos = {name: metric_info(name) for name in request.metrics}
    return write_exports(request.out, everything, infos, asked=asked)


def _asked_signatures(result: RunResult) -> set[str]:
    return {signature for cell in result.plan.cells for signature in cell.signatures.values()}


def _asked_rows(result: RunResult) -> list:
    units = {(*_cell_tuple(cell.id), unit.sample.id) for cell in result.plan.cells for unit in cell.units}
    units |= {(*_cell_tuple(cell.id), WHOLE_SET) for cell in result.plan.cells}
    signatures = _asked_signatures(result)
    place = {name: index for index, name in enumerate(result.plan.request.metrics)}
    rows = [
        row
        for row in result.rows
        if (row[0], row[1], row[2], row[4], row[5], row[3]) in units
        and MetricRef.parse(row[6]).name in place
        and row[9] in signatures
    ]
    return sorted(rows, key=lambda row: place[MetricRef.parse(row[6]).name])


def _cell_tuple(cell: CellId) -> tuple[str, str, str, float, int]:
    return (cell.method, cell.variant, cell.dataset, cell.scale, cell.seed)
