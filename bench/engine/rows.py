"""The records of a run folder as rows of records.csv: sorted, so that equal work gives equal files."""

from __future__ import annotations

from bench.api import CellId, UnitStatus
from bench.engine.plan import MetricPlan, Plan
from bench.engine.store import Store

Row = tuple[str, str, str, str, float, int, str, float | None, str, str]


Key = tuple[str, str, str, str, float, int, str, str]
"""A row without its value and status."""


def record_rows(store: Store, metrics: MetricPlan, plan: Plan | None = None) -> list[Row]:
    """All rows of the folder, in the order of RECORD_COLUMNS.

    Args:
        store: The run folder.
        metrics: What was asked for last; a failed unit has one row for each of these metrics, without a value.
        plan: What was done last; numbers that could not be made, and are not stored for that reason, have a row too.
    Returns:
        (method, variant, dataset, image, scale, seed, metric, value, unit_status, signature), sorted.
    """
    rows: dict[Key, Row] = {}
    lost: list[Key] = []
    for cell, unit in store.all_units():
        head = _head(cell, unit.image)
        for score in unit.scores.values():
            good = score.value is not None and unit.status is UnitStatus.OK
            status = UnitStatus.OK if good else UnitStatus.FAILED
            key = (*head, score.metric, score.signature)
            rows[key] = (*key[:7], score.value if good else None, status.value, score.signature)
        if unit.status is UnitStatus.FAILED and not unit.scores:
            signatures = metrics.signed(cell.dataset, cell.scale)
            lost += [(*head, name, signatures.get(name, "")) for name in metrics.image_metrics()]
    for cell in plan.cells if plan is not None else ():
        for unit in cell.units:
            head = _head(cell.id, unit.sample.id)
            lost += [(*head, name, cell.signatures[name]) for name in unit.without]
            apart = set(metrics.image_metrics()) - set(metrics.image_metrics(unit.sample))
            for key in [(*head, name, cell.signatures[name]) for name in apart]:
                rows.setdefault(key, (*key[:7], None, UnitStatus.UNAVAILABLE.value, key[7]))
    for key in lost:  # another way of making LR may have failed where this one did not
        rows.setdefault(key, (*key[:7], None, UnitStatus.FAILED.value, key[7]))
    return sorted(rows.values(), key=lambda row: (*row[:3], row[4], row[5], row[3], row[6], row[9]))


def _head(cell: CellId, image: str) -> tuple[str, str, str, str, float, int]:
    return cell.method, cell.variant, cell.dataset, image, cell.scale, cell.seed
