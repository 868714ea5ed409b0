"""Metrics that look at more than one image: whole sets (FID), and one image at two scales (SelfSSIM).

They are computed from stored images after all units are done, and kept like any other score: a set metric under the
image name `*`, a cross-scale one under the output scale as `name@reference-scale`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar, overload

from bench.api import BenchError, CellId, MetricKind, MetricRef, Output, Record, Score, UnitError, UnitStatus
from bench.data import prepare
from bench.engine.events import Listener, Tally
from bench.engine.folder import StoredUnit, Units
from bench.engine.keys import digest, score_key
from bench.engine.metric_plan import MetricPlan
from bench.engine.origin import unchanged
from bench.engine.plan import Cell, Plan, Unit
from bench.engine.rows import WHOLE_SET
from bench.engine.scoring import ChangedImage, as_scored, read_stored
from bench.engine.store import Store
from bench.metrics.base import CrossScaleMetric, Pixels, SetMetric

Place = tuple[Cell, Unit]


def score_across(plan: Plan, metrics: MetricPlan, store: Store, listener: Listener, tally: Tally) -> list[Place]:
    """Compute what is missing of the set and cross-scale metrics of a plan.

    A set metric needs a complete cell; a cross-scale one needs the image at both scales. What cannot be computed is
    left out and said.

    Returns:
        Units of which the stored image is not what was written: without a number, until they are computed again.
    """
    work = _Across(plan, metrics, store, listener, tally)
    for name, kind in metrics.kinds.items():
        if name in metrics.unavailable:
            continue
        if kind is MetricKind.SET:
            for cell in plan.cells:
                work.score_set(name, cell)
        elif kind is MetricKind.CROSS_SCALE:
            if len(plan.request.scales) < 2:
                metrics.unavailable[name] = "it compares scales: give at least two with --scales"
                continue
            for group in _by_scale(plan.cells):
                work.score_scales(name, group)
    return list(work.changed.values())


def _by_scale(cells: Iterable[Cell]) -> list[list[Cell]]:
    groups: dict[tuple[str, str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.id.method, cell.id.variant, cell.id.dataset, cell.id.seed), []).append(cell)
    return list(groups.values())


class _Across:
    """One pass over the metrics that look at more than one image.

    Attributes:
        changed: (cell, image) -> the unit, where a stored image is not what was written.
    """

    def __init__(self, plan: Plan, metrics: MetricPlan, store: Store, listener: Listener, tally: Tally) -> None:
        self.request = plan.request
        self.metrics = metrics
        self.store = store
        self.listener = listener
        self.tally = tally
        self.changed: dict[tuple[CellId, str], Place] = {}

    def read(self, cell: Cell, unit: Unit, output: Output) -> Pixels:
        """A stored image as the protocol scores it.

        Raises:
            ChangedImage: it is not what was written; kept in `changed`.
        """
        try:
            return as_scored(read_stored(self.request.out, output), self.request.protocol)
        except ChangedImage as fault:
            place = (cell.id, unit.sample.id)
            if place not in self.changed:
                self.listener.note(str(fault))
            self.changed[place] = cell, unit
            raise

    def score_set(self, name: str, cell: Cell) -> None:
        """A metric of a whole set, for a cell that is complete."""
        request, stored = self.request, self.store.units(cell.where)
        planned = [(unit, stored.get((unit.sample.id, cell.pair))) for unit in cell.units]
        outputs = [
            (own, unit.output)
            for own, unit in planned
            if unit is not None and unit.output is not None and unit.output.key == own.key
        ]
        if len(outputs) < len(cell.units) or any(unit.sample.hr is None for unit in cell.units):
            return
        signature = cell.signatures[name]
        key = score_key(digest([output.key for _, output in outputs]), signature)
        whole = stored.get((WHOLE_SET, cell.pair))
        if whole is not None and whole.score(key, name, signature) is not None:
            self.tally.kept += 1
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
                _OneByOne(outputs, lambda each: self.read(cell, *each)), _OneByOne(cell.units, reference)
            )
        except ChangedImage:
            for own, output in outputs:  # all of them at once, so that they are computed again together
                with suppress(ChangedImage):
                    self.read(cell, own, output)
            return
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # a metric may come from a plug-in
            said = str(fault) if isinstance(fault, BenchError) else f"{type(fault).__name__}: {fault}"
            self.listener.note(f"{name} of {cell.choice.display} on {cell.id.dataset}: {said}")
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
        self.store.append(cell.where, record)
        self.tally.scored += 1

    def score_scales(self, name: str, cells: list[Cell]) -> None:
        """A metric of one image at two scales, for every pair of scales of a row."""
        metric = self.request.metric(name)
        if not isinstance(metric, CrossScaleMetric):
            return
        stored = [self.store.units(cell.where) for cell in cells]
        twins = [{unit.sample.id: unit for unit in cell.units} for cell in cells]
        for a, cell in enumerate(cells):
            for unit in cell.units:
                mine = _as_planned(stored[a], cell, unit)
                if mine is None or mine.output is None:
                    continue
                scores = []
                for b, other in enumerate(cells):
                    twin = twins[b].get(unit.sample.id)
                    theirs = None if a == b or twin is None else _as_planned(stored[b], other, twin)
                    if twin is None or theirs is None or theirs.output is None:
                        continue
                    signature, reference = cell.signatures[name], str(MetricRef(name, other.id.scale))
                    key = score_key(mine.output.key, signature, theirs.output.key)
                    if mine.score(key, reference, signature) is not None:
                        self.tally.kept += 1
                        continue
                    images = ((cell, unit, mine.output), (other, twin, theirs.output))
                    value = self._compare(metric, images)
                    if value is not None:
                        scores.append(Score(reference, value[0], signature, key, value[1]))
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
                    self.store.append(cell.where, record)
                    self.tally.scored += len(scores)

    def _compare(
        self, metric: CrossScaleMetric, images: tuple[tuple[Cell, Unit, Output], tuple[Cell, Unit, Output]]
    ) -> tuple[float | None, str] | None:
        """The number, or None and why these images have none; nothing at all where that may be another time."""
        started = time.perf_counter()
        try:
            a, b = (self.read(*each) for each in images)
            return metric.compute_pair(a, b), ""
        except ChangedImage:
            return None
        except UnitError as fault:
            return None, str(fault)
        except KeyboardInterrupt:
            raise
        except BaseException as fault:  # a metric may come from a plug-in
            cell, unit, _ = images[0]
            self.listener.note(
                f"{metric.info.name} of {cell.choice.display}, {unit.sample.id}: {type(fault).__name__}: {fault}"
            )
            return None
        finally:
            self.tally.spend("metrics", time.perf_counter() - started)


def _as_planned(stored: Units, cell: Cell, unit: Unit) -> StoredUnit | None:
    """What is stored of a unit, where it is the image that the plan means."""
    found = stored.get((unit.sample.id, cell.pair))
    if found is None or found.output is None or found.status is not UnitStatus.OK:
        return None
    return found if found.output.key == unit.key else None


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
