"""From a request to a result: plan, work, set metrics, and run.json, which says what the numbers are of."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from bench.api import (
    CellId,
    DatasetKind,
    MetricKind,
)
from bench.engine.crossing import score_across
from bench.engine.draws import write_draws
from bench.engine.environment import describe_environment
from bench.engine.events import Listener, Silent, Tally
from bench.engine.plan import MetricPlan, Plan, list_samples, make_plan
from bench.engine.request import RunRequest, check_device
from bench.engine.rows import Row, record_rows
from bench.engine.store import Store
from bench.engine.work import Work
from bench.metrics.catalog import metric_info
from bench.metrics.scorer import Scorer


@dataclass(frozen=True)
class RunResult:
    """What `execute` hands to the exports.

    Attributes:
        tally: What was done.
        plan: The cells and units of the request.
        metrics: What could be had of the metrics.
        rows: Everything in the run folder, as rows of records.csv.
        unchanged: True where nothing was done and the same request was exported before.
        run: run.json as it was written.
    """

    tally: Tally
    plan: Plan
    metrics: MetricPlan
    rows: list[Row]
    unchanged: bool
    run: dict[str, Any]


def plan_metrics(request: RunRequest) -> MetricPlan:
    """Which metrics can be had and how their numbers will be signed; no torch import.

    Raises:
        RequestError: an unknown metric.
    """
    scorer = Scorer(request.metrics, request.protocol, weights_root=request.weights_root)
    given = Scorer(request.metrics, replace(request.protocol, lr_given=True), weights_root=request.weights_root)
    kinds = {name: metric_info(name).kind for name in request.metrics}
    with_lr = frozenset(d.name for d in request.datasets if d.kind is not DatasetKind.HR_ONLY)
    signatures = {
        (lr_given, scale): (given if lr_given else scorer).signatures(scale)
        for lr_given in sorted({dataset.name in with_lr for dataset in request.datasets})
        for scale in request.scales
    }
    needs_lr = frozenset(name for name in request.metrics if scorer.needs_lr((name,)))
    return MetricPlan(kinds, dict(scorer.unavailable()), signatures, with_lr, needs_lr)


def execute(request: RunRequest, listener: Listener | None = None) -> RunResult:
    """Do what is left to do of a request and write run.json; the exports are the caller's.

    Returns:
        What was done and what is there. `tally.interrupted` is set after Ctrl-C; everything finished is stored.
    Raises:
        RequestError: the request is wrong, or the folder cannot be written.
    """
    listener = listener or Silent()
    check_device(request.device)
    metrics = plan_metrics(request)
    samples = list_samples(request)
    with Store(request.out) as store:
        plan = make_plan(request, samples, store, metrics)
        write_draws(request, samples)
        before = store.read_json()
        tally = Tally(warnings=list(before.get("warnings", {}).get(_where(request), [])))
        run = _write_run_json(store, plan, metrics, tally)
        units = sum(len(cell.todo()) for cell in plan.cells)
        listener.begin(cells=len(plan.cells), units=units, inferences=plan.inferences, scores=plan.scores)
        tally.reused = sum(not unit.infer for cell in plan.cells for unit in cell.units)
        units_of_plan = [unit for cell in plan.cells for unit in cell.units]
        tally.kept = sum(len(metrics.image_metrics(unit.sample)) - len(unit.missing) for unit in units_of_plan)
        if units:
            Work(plan, metrics, store, listener, tally).run()
        if not (tally.interrupted or tally.stopped) and any(
            kind in (MetricKind.SET, MetricKind.CROSS_SCALE) for kind in metrics.kinds.values()
        ):
            score_across(plan, metrics, store, listener, tally)
        tally.without = _valueless(plan)
        after = _write_run_json(store, plan, metrics, tally)
        same = all(
            before.get(key) == json.loads(json.dumps(after[key])) for key in ("request", "environment", "unavailable")
        )
        unchanged = same and not units and not tally.scored and after == run
        return RunResult(tally, plan, metrics, record_rows(store, metrics, plan), unchanged, after)


def _valueless(plan: Plan) -> dict[tuple[CellId, str, str], list[str]]:
    found: dict[tuple[CellId, str, str], list[str]] = {}
    for cell in plan.cells:
        for unit in cell.units:
            for name, reason in unit.without.items():
                found.setdefault((cell.id, name, reason), []).append(unit.sample.id)
    return found


def _where(request: RunRequest) -> str:
    """The heading under which warnings are kept: they depend on the protocol and on the images."""
    return f"{request.protocol.name}: {', '.join(dataset.name for dataset in request.datasets)}"


def _write_run_json(store: Store, plan: Plan, metrics: MetricPlan, tally: Tally) -> dict[str, Any]:
    values = store.read_json()
    request = plan.request
    signatures = {signature: list(names) for signature, names in values.get("signatures", {}).items()}
    for cell in plan.cells:
        for signature in cell.signatures.values():
            names = signatures.setdefault(signature, [])
            if request.protocol.name not in names:
                names.append(request.protocol.name)
    rows = {f"{choice.name}|{choice.variant}": choice for choice in request.methods}
    displays = {key: choice.display for key, choice in rows.items()}
    minimised = {key: list(choice.minimised) for key, choice in rows.items() if choice.minimised}
    values.update(
        version=1,
        request=request.describe(),
        environment=describe_environment(),
        expected=_merge_expected(values.get("expected", []), plan.expected()),
        unavailable=dict(metrics.unavailable),
        displays={**values.get("displays", {}), **displays},
        minimised={**values.get("minimised", {}), **minimised},
        signatures=signatures,
        warnings={**values.get("warnings", {}), _where(request): list(tally.warnings)},
    )
    store.write_json(values)
    return values


def _merge_expected(old: list[dict[str, object]], new: list[dict[str, object]]) -> list[dict[str, object]]:
    merged = {tuple(row[k] for k in ("method", "variant", "dataset", "scale", "seed")): row for row in [*old, *new]}
    return list(merged.values())
