"""One pass over a plan: have images computed, hand them over to scoring, write the records; lose nothing on the way.

This process is the only writer of records. It computes the images itself, or other processes do; scoring processes
compute the numbers, so metrics do not hold up a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from bench.api import BenchError, Output, Record, Score, UnitError, UnitStatus, validity_warnings
from bench.engine.events import Failure, Listener, Tally
from bench.engine.executor import EXECUTORS, Executor, fitting_workers
from bench.engine.forecast import Forecast
from bench.engine.inferring import INFERENCE, Inference, InlineInference, batches
from bench.engine.making import InferJob, InferUnit, Made, disk_refusals
from bench.engine.metric_plan import MetricPlan
from bench.engine.plan import Cell, Plan, Unit
from bench.engine.request import ClusterPlace
from bench.engine.scoring import Scored, ScoreJob, ScorerConfig
from bench.engine.store import Store
from bench.engine.tracebacks import forget_traceback, renew_traceback, traceback_path
from bench.imaging.atomic import atomic_write

_PATIENCE = 0.2
"""Seconds without an image after which what has been scored meanwhile is written down."""


@dataclass(frozen=True)
class Ticket:
    """What a scoring result belongs to."""

    cell: Cell
    unit: Unit
    output: Output | None


@dataclass(frozen=True)
class Batch:
    """What the images of an inference job belong to.

    Attributes:
        cell: The cell.
        units: Image -> unit.
    """

    cell: Cell
    units: dict[str, Unit]


class Work:
    """One pass over a plan."""

    def __init__(
        self, plan: Plan, metrics: MetricPlan, store: Store, listener: Listener, tally: Tally, forecast: Forecast
    ) -> None:
        self.plan = plan
        self.metrics = metrics
        self.store = store
        self.listener = listener
        self.tally = tally
        self.forecast = forecast
        self.request = plan.request
        self._here = InlineInference(store.make_folder)
        self._elsewhere: Inference | None = None
        self._executor: Executor | None = None
        self._again: list[tuple[Cell, Unit]] = []
        self._infos = [metric.info for metric in plan.request.metrics]

    def run(self, again: Sequence[tuple[Cell, Unit]] | None = None) -> None:
        """All cells in order; Ctrl-C, or a failure under `fail_fast`, waits for what is being scored and stops.

        Args:
            again: Only these units, of which the stored image turned out not to be what was written; None: all.
        """
        for cell, unit in again or ():
            self._repeat(cell, unit)
        try:
            for index, cell in enumerate(self.plan.cells if again is None else ()):
                self._cell(index, cell)
            self._finish()
            while self._again and not self.tally.stopped:
                cell, unit = self._again.pop()
                self._infer(cell, [unit])
                self._finish()
        except KeyboardInterrupt:
            self.tally.interrupted = True
            self._end_inference()  # an image may take minutes
            self._collect(wait=True)
        except Exception:
            # a method that cannot be loaded must not cost what is being scored at that moment
            with suppress(BenchError):
                self._collect(wait=True)
            raise
        finally:
            self._end_inference()
            if self._executor is not None:
                self._executor.close()

    def _cell(self, index: int, cell: Cell) -> None:
        units = cell.todo()
        if not units or self.tally.stopped:
            return
        self.listener.cell(cell.id, index=index, units=len(units))
        # told apart now: a stored image that turns out to be another one is computed at the end
        stored, wanted = [[unit for unit in units if unit.infer == infer] for infer in (False, True)]
        for unit in stored:
            self._score(cell, unit, unit.stored)
            self._collect(wait=False)
            if self.tally.stopped:
                return
        self._infer(cell, wanted)

    def _infer(self, cell: Cell, units: list[Unit]) -> None:
        """Have images computed; returns when the last of them is under way."""
        if not units:
            return
        inference = self._inference(cell)
        share = 0 if inference is self._here else inference.share
        for place in batches(cell.choice.spec, units, share):
            while not inference.room and not self.tally.stopped:
                self._take(inference)
            if self.tally.stopped:
                return
            batch = Batch(cell, {unit.sample.id: unit for unit in units[place]})
            inference.submit(batch, self._job(batch, hand_over=inference is self._here))
            self._take(inference, wait=0.0)

    def _inference(self, cell: Cell) -> Inference:
        """Who computes the images of a cell; what is only looked up is not worth sending."""
        if cell.choice.spec.reader is not None:
            return self._here
        if self._elsewhere is None:
            name = self.request.executor
            make = INFERENCE.get(name) if name in INFERENCE.names() else None
            self._elsewhere = (make(self.request) if make is not None else None) or self._here
            self.forecast.share = self._elsewhere.share
        return self._elsewhere

    def _take(self, inference: Inference, *, wait: float = _PATIENCE) -> None:
        """Take what is computed, and write down what is scored."""
        for batch, made in inference.finished(wait=wait):
            if isinstance(batch, Batch):
                self._made(batch.cell, batch.units[made.image], made)
            self._collect(wait=False)
            if self.tally.stopped:
                return
        self._collect(wait=False)

    def _finish(self) -> None:
        """Wait for everything that is under way."""
        for inference in (self._here, self._elsewhere):
            while inference is not None and inference.busy and not self.tally.stopped:
                self._take(inference)
        self._collect(wait=True)

    def _end_inference(self) -> None:
        inference, self._elsewhere = self._elsewhere, None
        if inference is not None:
            inference.close()
        self._here.close()

    @property
    def executor(self) -> Executor:
        """Started with the first job."""
        if self._executor is None:
            config = ScorerConfig(tuple(self.metrics.image_metrics()), self.request.protocol, self.request.weights_root)
            workers = self.request.workers
            if workers is None:
                cells = self.plan.cells
                units = sum(len(cell.todo()) for cell in cells) if not self._again else len(self._again)
                computed = sum(unit.infer for cell in cells if cell.choice.spec.reader is None for unit in cell.units)
                workers = fitting_workers(units=units, inferences=computed)
            request = self.request
            place = {"cluster": request.cluster} if request.cluster != ClusterPlace() else {}
            self._executor = EXECUTORS.get(request.executor)(config, workers=workers, **place)
        return self._executor

    def _job(self, batch: Batch, *, hand_over: bool) -> InferJob:
        cell, request = batch.cell, self.request
        for folder in {(request.out / unit.path).parent for unit in batch.units.values()}:
            with suppress(OSError):  # what is in the way is said of the images, when they are there
                self.store.make_folder(folder)
        units = tuple(InferUnit(unit.sample, unit.source, unit.key, unit.place) for unit in batch.units.values())
        return InferJob(
            cell.choice,
            cell.weights,
            request.protocol,
            cell.id.scale,
            cell.id.seed,
            units,
            request.out,
            device=request.device,
            tile=request.tile,
            hand_over=hand_over,
        )

    def _made(self, cell: Cell, unit: Unit, made: Made) -> None:
        """Go on with what came of an image."""
        for phase, seconds in made.phases.items():
            self.tally.spend(phase, seconds)
        for note in made.notes:
            self.tally.warn(f"{cell.choice.display}: {note}")
        self.forecast.loaded(made.phases.get("load", 0.0))
        error, details = made.error, made.details
        try:
            if made.png is not None:
                self._write(unit, made.png)
        except UnitError as fault:
            error = str(fault)
        output = made.output
        if error or output is None:
            self._failed(cell, unit, error, details=details)
            return
        self.tally.inferred += 1
        self.forecast.took(cell, output.size[0] * output.size[1], output.seconds)
        self._warn(cell, made)
        if output.tile is not None and self.request.tile is None:
            self.listener.note(
                f"{cell.choice.display}, {unit.sample.id}: memory was short, LR tiles of {output.tile} px used"
            )
        self._score(cell, unit, output, made)

    def _write(self, unit: Unit, png: bytes) -> None:
        path = self.request.out / unit.path
        with disk_refusals(path):
            self.store.make_folder(path.parent)
            with atomic_write(path, "wb", durable=False) as file:
                file.write(png)

    def _score(self, cell: Cell, unit: Unit, output: Output | None, made: Made | None = None) -> None:
        """Hand an image over to scoring: its pixels where they are here, else where they are stored."""
        needs_lr = bool(self.metrics.needs_lr.intersection(unit.missing))
        here = made is not None and made.sr is not None
        job = ScoreJob(
            self.request.out / unit.path,
            unit.sample,
            cell.id.scale,
            tuple(unit.missing),
            seed=cell.id.seed,
            source=unit.source,
            sr=made.sr if made is not None else None,
            hr=made.hr if made is not None else None,
            lr=made.lr if made is not None and needs_lr else None,
            stored=None if here else output,
        )
        self.executor.submit(Ticket(cell, unit, output), job)

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
            self._repeat(cell, unit)
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
        forget_traceback(self.request.out, traceback_path(unit.path))
        # a fault is told of, and tried again in the next run: it has no key
        faults = tuple(Score(name, None, cell.signatures[name], "", reason) for name, reason in scored.faults.items())
        self._append(ticket, UnitStatus.OK, output, scores + faults)
        self.tally.scored += len(scores)
        self.forecast.finished(cell, unit)
        self.listener.unit(cell.id, unit.sample.id)

    def _repeat(self, cell: Cell, unit: Unit) -> None:
        """Compute a unit anew at the end, with all of its numbers: those that are there may be of other pixels."""
        self.tally.reused -= not unit.infer
        unit.infer, unit.stored = True, None
        unit.missing = self.metrics.keys(unit.key, cell.signatures, unit.sample)
        self._again.append((cell, unit))

    def _failed(self, cell: Cell, unit: Unit, error: str, *, output: Output | None = None, details: str = "") -> None:
        """Record a unit as failed.

        Args:
            cell: Its cell.
            unit: The unit.
            error: What went wrong, on one line.
            output: Its SR image, where only the scoring failed.
            details: The traceback of a method's own fault.
        """
        where = renew_traceback(self.request.out, unit.path, details, self.listener.note)
        self.tally.failures.append(Failure(cell.id, unit.sample.id, error, where))
        self.tally.stopped |= self.request.fail_fast
        self._append(Ticket(cell, unit, output), UnitStatus.FAILED, output, error=error)
        self.forecast.finished(cell, unit)
        self.listener.unit(cell.id, unit.sample.id, error=error)

    def _append(
        self, ticket: Ticket, status: UnitStatus, output: Output | None, scores: tuple[Score, ...] = (), error: str = ""
    ) -> None:
        cell, unit = ticket.cell, ticket.unit
        record = Record(
            cell.id,
            unit.sample.id,
            status,
            output,
            scores,
            error,
            pair=cell.pair,
            origin=cell.origin.id,
            source=unit.short_source,
            file=unit.file,
        )
        self.store.append(cell.where, record)

    def _warn(self, cell: Cell, made: Made) -> None:
        scale = cell.id.scale
        for text in validity_warnings(
            lr=made.lr_shape,
            hr=made.size,
            scale=scale,
            shave=self.request.protocol.widest_shave_at(scale),
            metrics=self._infos,
        ):
            self.tally.warn(f"{cell.id.dataset} {text}")
