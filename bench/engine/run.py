"""Carrying out a plan: infer, hand over to scoring, write records; stop cleanly and lose nothing.

The main process runs the methods and is the only writer of records. Scoring processes
compute the numbers, so metrics do not hold up the model.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from bench.api import (
    BenchError,
    CellId,
    DatasetKind,
    MetricKind,
    Output,
    Record,
    Score,
    UnitError,
    UnitStatus,
    derive_seed,
    validity_warnings,
)
from bench.data import Pair, prepare
from bench.engine.crossing import score_across
from bench.engine.environment import describe_environment
from bench.engine.events import Listener, Silent, Tally
from bench.engine.executor import Executor, fitting_workers, make_executor
from bench.engine.inference import Inferred, Runner
from bench.engine.plan import Cell, MetricPlan, Plan, Unit, list_samples, make_plan
from bench.engine.request import RunRequest, check_device
from bench.engine.rows import Row, record_rows
from bench.engine.scoring import Scored, ScoreJob, ScorerConfig, store_image
from bench.engine.store import Store
from bench.metrics.catalog import metric_info
from bench.metrics.scorer import Scorer


@dataclass(frozen=True)
class Ticket:
    """What a scoring result belongs to."""

    cell: Cell
    unit: Unit
    output: Output | None


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
        before = store.read_json()
        tally = Tally(warnings=list(before.get("warnings", {}).get(_where(request), [])))
        run = _write_run_json(store, plan, metrics, tally)
        units = sum(len(cell.todo()) for cell in plan.cells)
        listener.begin(cells=len(plan.cells), units=units, inferences=plan.inferences, scores=plan.scores)
        tally.reused = sum(not unit.infer for cell in plan.cells for unit in cell.units)
        wanted = len(metrics.image_metrics())
        tally.kept = sum(wanted - len(unit.missing) for cell in plan.cells for unit in cell.units)
        if units:
            _Work(plan, metrics, store, listener, tally).run()
        if not tally.interrupted and any(
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


class _Work:
    """One pass over a plan."""

    def __init__(self, plan: Plan, metrics: MetricPlan, store: Store, listener: Listener, tally: Tally) -> None:
        self.plan = plan
        self.metrics = metrics
        self.store = store
        self.listener = listener
        self.tally = tally
        self.request = plan.request
        self.runner: Runner | None = None
        self._executor: Executor | None = None
        self._again: list[tuple[Cell, Unit]] = []

    def run(self) -> None:
        """All cells in order; Ctrl-C waits for what is being scored and stops there."""
        try:
            for index, cell in enumerate(self.plan.cells):
                todo = cell.todo()
                if not todo:
                    continue
                self.listener.cell(cell.id, index=index, units=len(todo))
                for unit in todo:
                    self._unit(cell, unit)
                    self._collect(wait=False)
            self._collect(wait=True)
            while self._again:
                self._unit(*self._again.pop())
                self._collect(wait=True)
        except KeyboardInterrupt:
            self.tally.interrupted = True
            self._collect(wait=True)
        except Exception:
            # a method that cannot be loaded must not cost what is being scored at that moment
            with suppress(BenchError):
                self._collect(wait=True)
            raise
        finally:
            if self._executor is not None:
                self._executor.close()

    @property
    def executor(self) -> Executor:
        """Started with the first job."""
        if self._executor is None:
            config = ScorerConfig(tuple(self.metrics.image_metrics()), self.request.protocol, self.request.weights_root)
            workers = self.request.workers
            if workers is None:
                units = sum(len(cell.todo()) for cell in self.plan.cells)
                workers = fitting_workers(units=units, inferences=self.plan.inferences)
            self._executor = make_executor(config, workers=workers)
        return self._executor

    def _unit(self, cell: Cell, unit: Unit) -> None:
        if not unit.infer:
            job = ScoreJob(
                self.request.out / unit.path,
                unit.sample,
                cell.id.scale,
                self._wanted(unit),
                pixels_sha256=unit.stored.sha256 if unit.stored is not None else "",
            )
            self.executor.submit(Ticket(cell, unit, unit.stored), job)
            return
        try:
            pair, result = self._infer(cell, unit)
            pixels_hash = self._write(unit, result)
        except UnitError as fault:
            self._failed(cell, unit, str(fault))
            return
        self._warn(cell, pair)
        lr_hash = hashlib.sha256(pair.lr.tobytes()).hexdigest() if pair.lr is not None else ""
        if result.tile is not None and self.request.tile is None:
            self.listener.note(
                f"{cell.choice.display}, {unit.sample.id}: memory was short, LR tiles of {result.tile} px used"
            )
        output = Output(
            key=unit.key,
            path=unit.path.as_posix(),
            sha256=pixels_hash,
            size=(result.pixels.shape[0], result.pixels.shape[1]),
            depth=result.pixels.dtype.itemsize * 8,
            lr_sha256=lr_hash,
            tile=result.tile,
            seconds=round(result.seconds, 6),
        )
        job = ScoreJob(
            self.request.out / unit.path,
            unit.sample,
            cell.id.scale,
            self._wanted(unit),
            sr=result.pixels,
            hr=pair.hr,
            lr=pair.lr if self.metrics.needs_lr.intersection(unit.missing) else None,
        )
        self.executor.submit(Ticket(cell, unit, output), job)

    def _infer(self, cell: Cell, unit: Unit) -> tuple[Pair, Inferred]:
        started = time.perf_counter()
        if self.runner is None or self.runner.choice is not cell.choice:
            self.runner = None
            self.runner = Runner(cell.choice, device=self.request.device, tile=self.request.tile)
            self.tally.spend("load", time.perf_counter() - started)
            started = time.perf_counter()
        pair = prepare(unit.sample, cell.id.scale, self.request.protocol)
        self.tally.spend("prepare", time.perf_counter() - started)
        if pair.lr is None:
            raise UnitError(f"{unit.sample.id} has no LR image")
        seed = derive_seed(cell.id.seed, unit.sample.id)
        result = self.runner.infer(
            pair.lr, pair.size, self.request.protocol, image=unit.sample.id, scale=cell.id.scale, seed=seed
        )
        self.tally.spend("model", result.seconds)
        self.tally.inferred += 1
        return pair, result

    def _write(self, unit: Unit, result: Inferred) -> str:
        path = self.request.out / unit.path
        started = time.perf_counter()
        try:
            return store_image(path, result.pixels)
        except OSError as fault:
            raise UnitError(f"{path}: {fault.strerror or fault}") from fault
        finally:
            self.tally.spend("write", time.perf_counter() - started)

    def _wanted(self, unit: Unit) -> tuple[str, ...]:
        if unit.sample.hr is not None:
            return tuple(unit.missing)
        full = MetricKind.FULL_REFERENCE
        return tuple(
            name for name in unit.missing if self.metrics.kinds[name] is not full or name in self.metrics.needs_lr
        )

    def _collect(self, *, wait: bool) -> None:
        if self._executor is None:
            return
        for ticket, scored in self._executor.drain() if wait else self._executor.finished():
            if isinstance(ticket, Ticket):
                self._store(ticket, scored)

    def _store(self, ticket: Ticket, scored: Scored) -> None:
        for phase, seconds in scored.phases.items():
            self.tally.spend(phase, seconds)
        cell, unit, output = ticket.cell, ticket.unit, ticket.output
        if scored.damaged:
            self.listener.note(f"{scored.error}; computing it again")
            unit.infer = True
            self._again.append((cell, unit))
            return
        if scored.error or output is None:
            self._failed(cell, unit, scored.error, output=output)
            return
        scores = tuple(
            Score(name, value.value, cell.signatures[name], unit.missing[name], value.reason)
            for name, value in scored.values.items()
        )
        unit.without |= {name: value.reason for name, value in scored.values.items() if value.value is None}
        unit.without |= scored.faults
        record = Record(cell.id, unit.sample.id, UnitStatus.OK, output, scores)
        self.store.append(cell.where, record, pair=cell.pair)
        self.tally.scored += len(scores)
        self.listener.unit(cell.id, unit.sample.id)

    def _failed(self, cell: Cell, unit: Unit, error: str, *, output: Output | None = None) -> None:
        self.tally.failures.append((cell.id, unit.sample.id, error))
        record = Record(cell.id, unit.sample.id, UnitStatus.FAILED, output, error=error)
        self.store.append(cell.where, record, pair=cell.pair)
        self.listener.unit(cell.id, unit.sample.id, error=error)

    def _warn(self, cell: Cell, pair: Pair) -> None:
        scale = cell.id.scale
        for text in validity_warnings(
            lr=pair.lr_shape,
            hr=pair.size,
            scale=scale,
            shave=self.request.protocol.shave_at(scale),
            metrics=self.request.metrics,
        ):
            self.tally.warn(f"{cell.id.dataset} {text}")


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
    displays = {**values.get("displays", {}), **{f"{c.name}|{c.variant}": c.display for c in request.methods}}
    values.update(
        version=1,
        request=request.describe(),
        environment=describe_environment(),
        expected=_merge_expected(values.get("expected", []), plan.expected()),
        unavailable=dict(metrics.unavailable),
        displays=displays,
        signatures=signatures,
        warnings={**values.get("warnings", {}), _where(request): list(tally.warnings)},
    )
    store.write_json(values)
    return values


def _merge_expected(old: list[dict[str, object]], new: list[dict[str, object]]) -> list[dict[str, object]]:
    merged = {tuple(row[k] for k in ("method", "variant", "dataset", "scale", "seed")): row for row in [*old, *new]}
    return list(merged.values())
