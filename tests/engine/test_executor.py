"""Executors: how many jobs, and so how many images, wait at a time; without processes and without time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from bench.api import Sample, get_protocol
from bench.engine.executor import LocalExecutor
from bench.engine.scoring import Scored, ScoreJob, ScorerConfig

DEPTH = 2


class Pool:
    """A worker that does nothing until it is told that a job is done."""

    def __init__(self) -> None:
        self.jobs: list[Future[Scored]] = []
        self.most = 0

    def submit(self, call: Callable[..., Scored], job: ScoreJob) -> Future[Scored]:
        self.jobs.append(Future())
        self.most = max(self.most, sum(not future.done() for future in self.jobs))
        return self.jobs[-1]

    def shutdown(self, **how: bool) -> None:
        pass


class Waits:
    """Stands for `concurrent.futures.wait`: where no job is done yet, the first one is by then."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, futures: Iterable[Future[Scored]], **how: Any) -> None:
        waited = list(futures)
        if not any(future.done() for future in waited):
            self.count += 1
            waited[0].set_result(Scored())


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    waits = Waits()
    monkeypatch.setattr("bench.engine.executor.wait", waits)
    return waits


def make_executor(monkeypatch: pytest.MonkeyPatch, *, workers: int) -> tuple[LocalExecutor, list[Pool]]:
    pools = [Pool() for _ in range(workers)]
    left = iter(pools)
    monkeypatch.setattr(LocalExecutor, "_start", lambda self: next(left))
    config = ScorerConfig(("psnr",), get_protocol("sample"), None)
    return LocalExecutor(config, workers=workers, depth=DEPTH), pools


def job(image: str) -> ScoreJob:
    return ScoreJob(Path("unused.png"), Sample(image, None, None), 2.0, ("psnr",))


def test_submit_waits_while_a_worker_has_enough_to_do(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    """Catches a `submit` that never blocks: a fast method would pile up images until the memory is full."""
    executor, (pool,) = make_executor(monkeypatch, workers=1)
    for number in range(7):
        executor.submit(number, job("image"))
    assert pool.most == DEPTH
    assert len(pool.jobs) == 7
    assert waits.count == 7 - DEPTH
    assert {ticket for ticket, _ in executor.drain()} == set(range(7))


def test_a_busy_worker_does_not_hold_up_another(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    """Catches a bound over all workers: one slow image would leave the others without work."""
    executor, pools = make_executor(monkeypatch, workers=2)
    images = {zlib.crc32(name.encode()) % 2: name for name in ("a", "b", "c", "d", "e")}
    assert set(images) == {0, 1}
    for image in images.values():
        for number in range(DEPTH):
            executor.submit((image, number), job(image))
    assert waits.count == 0
    assert [pool.most for pool in pools] == [DEPTH, DEPTH]


def test_jobs_that_are_done_but_not_collected_make_room(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    """Catches a `submit` that waits for results which only its own caller could take: it would never return."""
    executor, (pool,) = make_executor(monkeypatch, workers=1)
    for number in range(DEPTH):
        executor.submit(number, job("image"))
        pool.jobs[-1].set_result(Scored())
    executor.submit("next", job("image"))
    assert waits.count == 0
    assert [ticket for ticket, _ in executor.finished()] == list(range(DEPTH))


def test_a_worker_begins_when_the_others_have_enough_to_do(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    """Catches processes that begin, and import for seconds, for jobs that one alone does in time."""
    executor, pools = make_executor(monkeypatch, workers=2)
    at = {zlib.crc32(name.encode()) % 2: name for name in ("a", "b", "c", "d", "e")}
    for image in (at[0], at[1], at[0], at[1]):
        executor.submit(image, job(image))
        pools[0].jobs[-1].set_result(Scored())
        assert [ticket for ticket, _ in executor.finished()] == [image]
    for number in range(DEPTH):
        executor.submit(number, job(at[0]))
    assert not pools[1].jobs
    executor.submit("one more", job(at[1]))
    assert len(pools[1].jobs) == 1
    assert waits.count == 0
