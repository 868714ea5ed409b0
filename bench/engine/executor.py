"""Executors: one interface for whoever runs scoring jobs, and the local one with worker processes.

A job goes to the worker that its image hashes to, so features of a reference are made once; a worker that has not begun
yet begins when the others have enough to do. Submitting blocks while too many jobs are under way, which bounds the
memory; the jobs of a worker that dies are done once more, each in a process of its own, before they fail.
"""

from __future__ import annotations

import multiprocessing
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Protocol as TypingProtocol

from bench.engine.processes import cores, refuse_unguarded_script, without_interrupts
from bench.engine.scoring import Scored, ScoreJob, ScorerConfig, UnitScorer, run_job, start_process
from bench.registry import LazyRegistry


class Executor(TypingProtocol):
    """Runs scoring jobs somewhere. Results come back in any order, in the caller's thread."""

    def submit(self, ticket: object, job: ScoreJob) -> None:
        """Start a job; blocks while the queue is full."""

    def finished(self) -> Iterator[tuple[object, Scored]]:
        """The results that are there, without waiting."""
        ...

    def drain(self) -> Iterator[tuple[object, Scored]]:
        """All outstanding results, waiting for them."""
        ...

    def close(self) -> None:
        """Give the workers back; outstanding jobs are dropped."""


class InlineExecutor:
    """Runs jobs at once in this process (`--workers 0`): simplest, and what a debugger wants."""

    def __init__(self, config: ScorerConfig) -> None:
        self._scorer = UnitScorer(config)
        self._done: list[tuple[object, Scored]] = []

    def submit(self, ticket: object, job: ScoreJob) -> None:
        """Run the job now."""
        self._done.append((ticket, self._scorer.run(job)))

    def finished(self) -> Iterator[tuple[object, Scored]]:
        """Everything submitted so far."""
        while self._done:
            yield self._done.pop(0)

    drain = finished

    def close(self) -> None:
        """Nothing to give back."""


class LocalExecutor:
    """Worker processes on this machine, one pool of one process each, so that jobs can be sent to a certain worker."""

    def __init__(self, config: ScorerConfig, *, workers: int, depth: int = 2) -> None:
        """Args: workers: processes; depth: jobs under way per worker before `submit` blocks."""
        self._config = config
        self._context = multiprocessing.get_context("spawn")
        self._pools = [self._start() for _ in range(workers)]
        self._depth = depth
        self._waiting: dict[Future[Scored], tuple[object, int, ScoreJob]] = {}
        self._load = [0] * workers
        self._begun: set[int] = set()

    def submit(self, ticket: object, job: ScoreJob) -> None:
        """Send a job to the worker of its image; waits while that worker has enough to do."""
        home = self._worker(job.sample.id)
        self._begun.add(home)
        while self._under_way(home) >= self._depth:
            own = [f for f, (_, w, _) in self._waiting.items() if w == home and not f.done()]
            wait(own, return_when=FIRST_COMPLETED)
        with without_interrupts():  # the first job starts the process
            try:
                future = self._pools[home].submit(run_job, job)
            except BrokenProcessPool:
                self._pools[home] = self._start()
                future = self._pools[home].submit(run_job, job)
        self._waiting[future] = (ticket, home, job)
        self._load[home] += 1

    def finished(self) -> Iterator[tuple[object, Scored]]:
        """Results that are there."""
        for future in [f for f in self._waiting if f.done()]:
            yield self._take(future)

    def drain(self) -> Iterator[tuple[object, Scored]]:
        """All outstanding results."""
        while self._waiting:
            wait(self._waiting, return_when=FIRST_COMPLETED)
            yield from self.finished()

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _take(self, future: Future[Scored]) -> tuple[object, Scored]:
        ticket, home, job = self._waiting.pop(future)
        self._load[home] -= 1
        fault = future.exception()
        if isinstance(fault, BrokenProcessPool):
            return ticket, self._once_more(job)
        if fault is not None:  # a job that cannot be sent, or a metric that ends its process
            return ticket, Scored(error=f"scoring raised {type(fault).__name__}: {fault}")
        return ticket, future.result()

    def _once_more(self, job: ScoreJob) -> Scored:
        """Do a lost job in a fresh process, alone: whatever killed the other process may be the job beside it."""
        pool = self._start()
        try:
            with without_interrupts():
                future = pool.submit(run_job, job)
            return future.result()
        except BrokenProcessPool:
            return Scored(
                error="the scoring process died twice (killed, or out of memory); run again with fewer --workers"
            )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _worker(self, image: str) -> int:
        """The worker of an image: its own, or one that has time where its own would have to begin for it, since that
        costs up to seconds, for nothing where a method is slower than the scoring of its images."""
        home = zlib.crc32(image.encode()) % len(self._pools)
        if home in self._begun or not self._begun:
            return home
        free = min(sorted(self._begun), key=self._under_way)
        return free if self._under_way(free) < self._depth else home

    def _under_way(self, worker: int) -> int:
        done = sum(1 for future, (_, home, _) in self._waiting.items() if home == worker and future.done())
        return self._load[worker] - done

    def _start(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(1, mp_context=self._context, initializer=start_process, initargs=(self._config, 1))
        # a job is megabytes of pixels; through the usual 64 KB pipe they crawl while the worker waits for them
        with suppress(AttributeError, OSError, ImportError):
            import fcntl

            fcntl.fcntl(pool._call_queue._writer.fileno(), fcntl.F_SETPIPE_SZ, 2**20)  # pyright: ignore
        return pool


_WORTH_A_PROCESS = 24
"""Units: fewer are scored before two processes have begun."""


def fitting_workers(*, units: int, inferences: int) -> int:
    """How many scoring processes fit: a core is left to the method where one runs, and each process gets a dozen units,
    since importing what the metrics need costs it up to seconds.

    Args:
        units: Units to score.
        inferences: Images that a method computes meanwhile; images that are only looked up do not count.
    Returns:
        0 to 8; 0 where there is nothing to compute meanwhile and too little to share out.
    """
    if not inferences and units < _WORTH_A_PROCESS:
        return 0
    return max(1, min(8, cores() - 1 if inferences else cores(), units // 12))


def local(config: ScorerConfig, *, workers: int) -> Executor:
    """Worker processes on this machine, or this process for 0 workers."""
    if workers == 0:
        return InlineExecutor(config)
    refuse_unguarded_script()
    return LocalExecutor(config, workers=workers)


MakeExecutor = Callable[..., Executor]
"""(config, workers=number of scoring processes) -> executor; `cluster=` too, where a user says of which machines."""
EXECUTORS: LazyRegistry[MakeExecutor] = LazyRegistry("executor", "bench run --help")
"""What `--executor` names, from here and from the entry-point group `bench.executors`."""
EXECUTORS.add("local", "bench.engine.executor:local", origin="assr-bench")
EXECUTORS.add("ray", "bench.engine.on_ray.scoring:scoring", origin="assr-bench")
