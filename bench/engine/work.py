"""One pass over a plan: infer, store the image, hand it over to scoring, write the record; lose nothing on the way.

The main process runs the methods and is the only writer. Scoring processes compute the numbers, so metrics do not
hold up the model.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.api import (
    BenchError,
    ComingUnit,
    Output,
    Record,
    Score,
    UnitError,
    UnitStatus,
    derive_seed,
    validity_warnings,
)
from bench.data import Pair, prepare
from bench.engine.events import Failure, Listener, Tally
from bench.engine.executor import EXECUTORS, Executor, fitting_workers
from bench.engine.faults import of_one_image
from bench.engine.forecast import Forecast
from bench.engine.inference import Inferred, Runner, as_tensor
from bench.engine.keys import score_key
from bench.engine.lookup import LookUp, open_method
from bench.engine.origin import unchanged
from bench.engine.plan import Cell, MetricPlan, Plan, Unit
from bench.engine.scoring import Scored, ScoreJob, ScorerConfig, store_image
from bench.engine.store import Store, cannot_write, is_full
from bench.engine.together import Together
from bench.engine.tracebacks import forget_traceback, renew_traceback, traceback_path


@dataclass(frozen=True)
class Ticket:
    """What a scoring result belongs to."""

    cell: Cell
    unit: Unit
    output: Output | None


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
        self.runner: Runner | LookUp | None = None
        self._executor: Executor | None = None
        self._again: list[tuple[Cell, Unit]] = []
        self._coming: list[Unit] = []  # of the current cell, until the method is told of them
        self._together: Together[Unit]  # of the current cell
        self._unprepared: UnitError | None = None
        self._share = 0.0
        self._infos = [metric.info for metric in plan.request.metrics]

    def run(self, again: Sequence[tuple[Cell, Unit]] | None = None) -> None:
        """All cells in order; Ctrl-C, or a failure under `fail_fast`, waits for what is being scored and stops.

        Args:
            again: Only these units, of which the stored image turned out not to be what was written; None: all.
        """
        for cell, unit in again or ():
            self._repeat(cell, unit)
        try:
            for cell, unit in self._todo() if again is None else ():
                self._unit(cell, unit)
                self._collect(wait=False)
                if self.tally.stopped:
                    break
            self._collect(wait=True)
            while self._again and not self.tally.stopped:
                cell, unit = self._again.pop()
                self._begin(cell, [unit])
                self._unit(cell, unit)
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

    def _todo(self) -> Iterator[tuple[Cell, Unit]]:
        for index, cell in enumerate(self.plan.cells):
            units = cell.todo()
            if units:
                self.listener.cell(cell.id, index=index, units=len(units))
            self._begin(cell, [unit for unit in units if unit.infer])
            for unit in units:
                yield cell, unit

    def _begin(self, cell: Cell, units: list[Unit]) -> None:
        self._coming = units
        self._together = Together(units, lambda unit: unit.sample, lambda unit: self._read(cell, unit))

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
            self._executor = EXECUTORS.get(self.request.executor)(config, workers=workers)
        return self._executor

    def _unit(self, cell: Cell, unit: Unit) -> None:
        if not unit.infer:
            job = ScoreJob(
                self.request.out / unit.path,
                unit.sample,
                cell.id.scale,
                tuple(unit.missing),
                seed=cell.id.seed,
                source=unit.source,
                stored=unit.stored,
            )
            self.executor.submit(Ticket(cell, unit, unit.stored), job)
            return
        try:
            with of_one_image(unit.sample.id):
                pair, result = self._infer(cell, unit)
                pixels_hash = self._write(unit, result)
                lr_hash = hashlib.sha256(np.ascontiguousarray(pair.lr).data).hexdigest() if pair.lr is not None else ""
        except UnitError as fault:
            self._failed(cell, unit, str(fault), details=fault.details)
            return
        self._warn(cell, pair)
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
            tuple(unit.missing),
            seed=cell.id.seed,
            source=unit.source,
            sr=result.pixels,
            hr=pair.hr,
            lr=pair.lr if self.metrics.needs_lr.intersection(unit.missing) else None,
        )
        self.executor.submit(Ticket(cell, unit, output), job)

    def _infer(self, cell: Cell, unit: Unit) -> tuple[Pair, Inferred]:
        started = time.perf_counter()
        if self.runner is None or self.runner.choice is not cell.choice:
            self.runner = None
            self.runner = open_method(
                cell.choice, device=self.request.device, tile=self.request.tile, planned=cell.weights
            )
            self.tally.spend("load", time.perf_counter() - started)
            self.forecast.loaded(time.perf_counter() - started)
            for note in self.runner.notes:
                self.tally.warn(f"{cell.choice.display}: {note}")
        self._announce(self.runner, cell)
        if self._unprepared is not None:
            self._read(cell, unit)  # where it cannot be read, that is the reason
            raise self._unprepared
        pair, _, result = self._together.infer(
            self.runner, unit, self.request.protocol, scale=cell.id.scale, seed=cell.id.seed
        )
        self.tally.spend("model", result.seconds)
        self.tally.inferred += 1
        seconds = result.seconds + self._share
        self.forecast.took(cell, result.pixels.shape[0] * result.pixels.shape[1], seconds)
        return pair, replace(result, seconds=seconds)

    def _announce(self, runner: Runner | LookUp, cell: Cell) -> None:
        """Tell the method once which images of a cell come; what it does then is shared out as their time."""
        if not self._coming:
            return
        units, self._coming, self._unprepared = self._coming, [], None
        started, reading = time.perf_counter(), 0.0

        def read() -> Iterator[ComingUnit]:
            nonlocal reading
            for unit in units:
                begun = time.perf_counter()
                try:
                    pair, lr = self._read(cell, unit)
                except UnitError:
                    continue  # it fails with this reason in its turn
                finally:
                    reading += time.perf_counter() - begun
                seed = derive_seed(cell.id.seed, unit.sample.id)
                yield ComingUnit(unit.sample.id, as_tensor(lr), pair.asked, seed)

        try:
            runner.prepare(read(), self.request.protocol, scale=cell.id.scale, seed=cell.id.seed)
        except UnitError as fault:
            self._unprepared = fault
        spent = time.perf_counter() - started - reading
        self.tally.spend("model", spent)
        self._share = spent / len(units)

    def _read(self, cell: Cell, unit: Unit) -> tuple[Pair, NDArray[np.float32]]:
        """The pair of a unit and its LR image."""
        started = time.perf_counter()
        try:
            with of_one_image(unit.sample.id), unchanged(unit.sample, unit.source):
                pair = prepare(unit.sample, cell.id.scale, self.request.protocol.drawn(cell.id.seed))
        finally:
            self.tally.spend("prepare", time.perf_counter() - started)
        if pair.lr is None:
            raise UnitError(f"{unit.sample.id} has no LR image")
        return pair, pair.lr

    def _write(self, unit: Unit, result: Inferred) -> str:
        path = self.request.out / unit.path
        started = time.perf_counter()
        try:
            self.store.make_folder(path.parent)
            return store_image(path, result.pixels)
        except IsADirectoryError as fault:
            raise UnitError(
                f"{path}: a folder lies where this image is to be written; move it away and type the same command again"
            ) from fault
        except OSError as fault:
            if is_full(fault):  # every further image would be computed only to meet the same refusal
                raise cannot_write(path, fault) from fault
            raise UnitError(f"{path}: {fault.strerror or fault}") from fault
        finally:
            self.tally.spend("write", time.perf_counter() - started)

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
        unit.missing = {
            name: score_key(unit.key, cell.signatures[name]) for name in self.metrics.image_metrics(unit.sample)
        }
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

    def _warn(self, cell: Cell, pair: Pair) -> None:
        scale = cell.id.scale
        for text in validity_warnings(
            lr=pair.lr_shape,
            hr=pair.size,
            scale=scale,
            shave=self.request.protocol.widest_shave_at(scale),
            metrics=self._infos,
        ):
            self.tally.warn(f"{cell.id.dataset} {text}")
