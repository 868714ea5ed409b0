"""The records of a run folder as rows of records.csv: sorted, so that equal work gives equal files."""

from __future__ import annotations

from bench.api import UnitStatus
from bench.engine.plan import MetricPlan
from bench.engine.store import Store

Row = tuple[str, str, str, str, float, int, str, float | None, str, str]


def record_rows(store: Store, metrics: MetricPlan) -> list[Row]:
    """All rows of the folder, in the order of RECORD_COLUMNS.

    Args:
        store: The run folder.
        metrics: What was asked for last; a failed unit has one row for each of these metrics, without a value.
    Returns:
        (method, variant, dataset, image, scale, seed, metric, value, unit_status, signature), sorted.
    """
    rows: list[Row] = []
    for cell, unit in store.all_units():
        head = (cell.method, cell.variant, cell.dataset, unit.image, cell.scale, cell.seed)
        for score in unit.scores.values():
            good = score.value is not None and unit.status is UnitStatus.OK
            status = UnitStatus.OK if good else UnitStatus.FAILED
            rows.append((*head, score.metric, score.value if good else None, status.value, score.signature))
        if unit.status is UnitStatus.FAILED and not unit.scores:
            signatures = metrics.signed(cell.dataset, cell.scale)
            for name in metrics.image_metrics():
                rows.append((*head, name, None, UnitStatus.FAILED.value, signatures.get(name, "")))
    return sorted(rows, key=lambda row: (*row[:3], row[4], row[5], row[3], row[6], row[9]))
