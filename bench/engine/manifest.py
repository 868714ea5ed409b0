"""run.json after a plan: what the newest request adds to what earlier ones left in a run folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

from bench.api import CellPlan, MetricKind, Protocol, RowInfo, RunManifest
from bench.api.run import merged_names
from bench.engine.choice import MethodChoice
from bench.engine.environment import describe_environment
from bench.engine.metric_plan import MetricPlan
from bench.engine.plan import Cell, Plan
from bench.engine.request import RunRequest


def with_plan(before: RunManifest | None, plan: Plan, metrics: MetricPlan, warnings: Iterable[str]) -> RunManifest:
    """run.json with the newest plan in it.

    Args:
        before: What the folder says so far.
        plan: The cells of this request; they replace the plans of the same cells.
        metrics: What could be had of its metrics.
        warnings: What makes numbers of this request doubtful.
    """
    old = before if before is not None else RunManifest()
    request = plan.request
    protocols = {signature: (request.protocol.name,) for cell in plan.cells for signature in cell.signatures.values()}
    under = [replace(request.protocol, lr_given=cell.id.dataset in metrics.with_lr) for cell in plan.cells]
    return replace(
        old,
        request=request.describe(),
        command=request.command,
        environment=describe_environment(),
        rows=merged_rows(old.rows, (row_info(choice) for choice in request.methods)),
        origins={**old.origins, **{cell.origin.id: cell.origin for cell in plan.cells}},
        sets={**old.sets, **plan.sets},
        cells=merged_cells(old.cells, (cell_plan(cell, metrics) for cell in plan.cells)),
        unavailable=dict(metrics.unavailable),
        protocols=merged_names(old.protocols, protocols),
        made_under=merged_protocols(old.made_under, under),
        warnings={**old.warnings, heading(request): tuple(warnings)},
    )


def heading(request: RunRequest) -> str:
    """The heading under which warnings are kept: they depend on the protocol and on the images."""
    return f"{request.protocol.name}: {', '.join(dataset.name for dataset in request.datasets)}"


def cell_plan(cell: Cell, metrics: MetricPlan) -> CellPlan:
    """What run.json keeps of a cell."""
    image_metrics = metrics.image_metrics()
    across = [name for name, kind in metrics.kinds.items() if kind in (MetricKind.SET, MetricKind.CROSS_SCALE)]
    there = set(metrics.image_metrics(cell.units[0].sample))
    return CellPlan(
        cell=cell.id,
        folder=cell.choice.folder,
        pair=cell.pair,
        origin=cell.origin.id,
        images=cell.set_id,
        files={unit.sample.id: unit.file for unit in cell.units if unit.file},
        metrics=tuple(metrics.kinds),
        signatures={cell.signatures[name]: name for name in image_metrics},
        crossing={cell.signatures[name]: name for name in across if name not in metrics.unavailable},
        apart=tuple(name for name in image_metrics if name not in there),
    )


def row_info(choice: MethodChoice) -> RowInfo:
    """What tables say of a method variant: every field of `RowInfo` is an attribute of the choice."""
    return RowInfo(**{fact.name: getattr(choice, fact.name) for fact in fields(RowInfo)})


def merged_rows(old: Iterable[RowInfo], new: Iterable[RowInfo]) -> tuple[RowInfo, ...]:
    """Rows of both, the newer facts of a row in the older one's place."""
    return tuple({info.key: info for info in (*old, *new)}.values())


def merged_protocols(old: Iterable[Protocol], new: Iterable[Protocol]) -> tuple[Protocol, ...]:
    """Protocols of both, each once, those of `new` last."""
    latest = dict.fromkeys(new)
    return (*(protocol for protocol in dict.fromkeys(old) if protocol not in latest), *latest)


def merged_cells(old: Iterable[CellPlan], new: Iterable[CellPlan]) -> tuple[CellPlan, ...]:
    """Plans of both; a newer plan of a cell replaces the older one, but what was measured under it stays known."""
    plans = {plan.key: plan for plan in old}
    for plan in new:
        before = plans.get(plan.key)
        plans[plan.key] = plan if before is None else _with_measures(plan, before)
    return tuple(plans.values())


def _with_measures(plan: CellPlan, before: CellPlan) -> CellPlan:
    return replace(
        plan,
        metrics=tuple(dict.fromkeys([*before.metrics, *plan.metrics])),
        signatures=_both(before.signatures, plan.signatures),
        crossing=_both(before.crossing, plan.crossing),
        apart=tuple(dict.fromkeys([*before.apart, *plan.apart])),
    )


def _both(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {**old, **new}
