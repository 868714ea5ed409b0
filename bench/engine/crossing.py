"""Metrics that look at more than one image: whole sets (FID), and one image at two scales (SelfSSIM).

They are computed from stored images after all units are done, and kept like any other score: a set metric under the
image name `*`, a cross-scale one under the output scale as `name@reference-scale`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar, overload

from bench.api import MetricKind, MetricRef, Record, Score, Unavailable, UnitError, UnitStatus
from bench.data import prepare
from bench.engine.events import Listener, Tally
from bench.engine.folder import StoredUnit, Units
from bench.engine.keys import digest, score_key
from bench.engine.origin import unchanged
from bench.engine.plan import Cell, MetricPlan, Plan, Unit
from bench.engine.request import RunRequest
from bench.engine.rows import WHOLE_SET
from bench.engine.scoring import as_scored, read_stored
from bench.engine.store import Store
from bench.metrics.base import CrossScaleMetric, Pixels, SetMetric


def score_across(plan: Plan, metrics: MetricPlan, store: Store, listener: Listener, tally: Tally) -> None:
    """Compute what is missing of the set and cross-scale metrics of a plan.

    A set metric needs a complete cell; a cross-scale one needs the image at both scales. What cannot be computed is
    left out and said.
    """
    request = plan.request
    for name, kind in metrics.kinds.items():
        if name in metrics.unavailable:
            continue
        if kind is MetricKind.SET:
            for cell in plan.cells:
                _score_set(name, cell, plan, metrics, store, listener, tally)
        elif kind is MetricKind.CROSS_SCALE:
            if len(request.scales) < 2:
                metrics.unavailable[name] = "it compares scales: give at least two with --scales"
                continue
            for group in _by_scale(plan.cells):
                _score_scales(name, group, plan, metrics, store, tally)


def _by_scale(cells: Iterable[Cell]) -> list[list[Cell]]:
    groups: dict[tuple[str, str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.id.method, cell.id.variant, cell.id.dataset, cell.id.seed), []).append(cell)
    return list(groups.values())


def _score_set(
    name: str, cell: Cell, plan: Plan, metrics: MetricPlan, store: Store, listener: Listener, tally: Tally
) -> None:
    request = plan.request
    stored = store.units(cell.where)
    units = [stored.get((unit.sample.id, cell.pair)) for unit in cell.units]
    outputs = [
        unit.output
        for own, unit in zip(cell.units, units, strict=True)
        if unit is not None and unit.output is not None and unit.output.key == own.key
    ]
    if len(outputs) < len(cell.units) or any(unit.sample.hr is None for unit in cell.units):
        return
    signature = cell.signatures[name]
    key = score_key(digest([output.key for output in outputs]), signature)
    whole = stored.get((WHOLE_SET, cell.pair))
    if whole is not None and key in whole.scores:
        tally.kept += 1
        return
    metric = request.metric(name)
    if not isinstance(metric, SetMetric):
        return

    def reference(unit: Unit) -> Pixels:
        with unchanged(unit.sample, unit.source):
            hr = prepare(unit.sample, cell.id.scale, request.protocol, need_lr=False).hr
        if hr is None:
            raise UnitError(f"{unit.sample.id} has no HR image")
        return hr

    try:
        value = metric.compute_sets(
            _OneByOne(outputs, lambda output: as_scored(read_stored(request.out, output), request.protocol)),
            _OneByOne(cell.units, reference),
        )
    except (UnitError, Unavailable) as fault:
        listener.note(f"{name} of {cell.choice.display} on {cell.id.dataset}: {fault}")
        return
    record = Record(
        cell.id,
        WHOLE_SET,
        UnitStatus.OK,
        scores=(Score(name, value, signature, key),),
        pair=cell.pair,
        origin=cell.origin.id,
        source=cell.set_id,
    )
    store.append(cell.where, record)
    tally.scored += 1


def _score_scales(name: str, cells: list[Cell], plan: Plan, metrics: MetricPlan, store: Store, tally: Tally) -> None:
    request = plan.request
    metric = request.metric(name)
    if not isinstance(metric, CrossScaleMetric):
        return
    stored = [store.units(cell.where) for cell in cells]
    for a, cell in enumerate(cells):
        for unit in cell.units:
            mine = _as_planned(stored[a], cell, unit)
            if mine is None or mine.output is None:
                continue
            scores = []
            for b, other in enumerate(cells):
                twin = next((u for u in other.units if u.sample.id == unit.sample.id), None)
                theirs = None if a == b or twin is None else _as_planned(stored[b], other, twin)
                if theirs is None or theirs.output is None:
                    continue
                signature = cell.signatures[name]
                key = score_key(mine.output.key, signature, theirs.output.key)
                if key in mine.scores:
                    tally.kept += 1
                    continue
                value, reason = _compare(metric, request, mine, theirs, tally)
                scores.append(Score(str(MetricRef(name, other.id.scale)), value, signature, key, reason))
            if scores:
                record = Record(
                    cell.id,
                    unit.sample.id,
                    UnitStatus.OK,
                    mine.output,
                    tuple(scores),
                    pair=cell.pair,
                    origin=mine.origin,
                    source=mine.source,
                    file=mine.file,
                )
                store.append(cell.where, record)
                tally.scored += len(scores)


def _as_planned(stored: Units, cell: Cell, unit: Unit) -> StoredUnit | None:
    """What is stored of a unit, where it is the image that the plan means."""
    found = stored.get((unit.sample.id, cell.pair))
    if found is None or found.output is None or found.status is not UnitStatus.OK:
        return None
    return found if found.output.key == unit.key else None


def _compare(
    metric: CrossScaleMetric, request: RunRequest, mine: StoredUnit, theirs: StoredUnit, tally: Tally
) -> tuple[float | None, str]:
    started = time.perf_counter()
    try:
        if mine.output is None or theirs.output is None:
            raise UnitError("an image is missing")
        outputs = (mine.output, theirs.output)
        a, b = (as_scored(read_stored(request.out, each), request.protocol) for each in outputs)
        return metric.compute_pair(a, b), ""
    except (UnitError, OSError) as fault:
        return None, str(fault)
    finally:
        tally.spend("metrics", time.perf_counter() - started)


Item = TypeVar("Item")


class _OneByOne(Sequence[Pixels], Generic[Item]):
    """Images that are made when they are asked for: a set of them need not fit into memory."""

    def __init__(self, items: Sequence[Item], make: Callable[[Item], Pixels]) -> None:
        self._items, self._make = items, make

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Pixels]: ...

    def __getitem__(self, index: int | slice) -> Pixels | Sequence[Pixels]:
        if isinstance(index, slice):
            return _OneByOne(self._items[index], self._make)
        return self._make(self._items[index])
