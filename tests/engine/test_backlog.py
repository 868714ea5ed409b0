"""What becomes of images whose worker is lost, without any worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.engine.backlog import Backlog, Task
from bench.engine.choice import choose_methods
from bench.engine.making import InferJob, InferUnit
from bench.engine.origin import source_of
from bench.engine.request import RunRequest

ENDED = {"ended": "was killed", "next_step": "look there"}


@pytest.fixture
def job(make_request: Callable[..., RunRequest]) -> InferJob:
    """The four photographs by bicubic."""
    (choice,) = choose_methods(["bicubic"])
    request = make_request(methods="bicubic")
    units = tuple(
        InferUnit(sample, source_of(sample), "key", f"images/{sample.id}.png")
        for sample in request.datasets[0].samples(2.0)
    )
    return InferJob(choice, "", request.protocol, 2.0, 0, units, request.out)


def images(task: Task) -> list[str]:
    return [unit.sample.id for unit in task.job.units]


def lose(backlog: Backlog, *, opened: bool, done: int = 0) -> Task:
    """A worker takes the next task and is lost at it."""
    task = backlog.take()
    if opened:
        backlog.opened(task)
    task.done = done
    backlog.put_back(task, **ENDED)
    return task


def test_the_image_that_was_lost_comes_first_and_alone(job: InferJob) -> None:
    """Catches finished images that are computed again, and neighbours that share the fate of one."""
    backlog = Backlog(2, worker="process")
    backlog.add("ticket", job)
    lose(backlog, opened=True, done=1)
    assert [images(backlog.take()) for _ in range(2)] == [["photo 1"], ["photo 2", "photo 3"]]
    assert backlog.empty


def test_an_image_that_costs_its_workers_fails_alone(job: InferJob) -> None:
    """Catches workers that are started for ever, and a reason that names no next step."""
    backlog = Backlog(3, worker="worker")
    backlog.add("ticket", job)
    for _ in range(3):
        lose(backlog, opened=True)
    ((ticket, made),) = backlog.given_up()
    assert ticket == "ticket"
    assert made.image == "photo 0"
    assert made.error == "the worker that computed it was killed, 3 times; look there"
    assert images(backlog.take()) == ["photo 1", "photo 2", "photo 3"]


def test_a_worker_lost_behind_its_last_image_costs_nothing(job: InferJob) -> None:
    """Catches an image that does not exist being put back."""
    backlog = Backlog(2, worker="process")
    backlog.add("ticket", job)
    lose(backlog, opened=True, done=4)
    assert backlog.empty


def test_a_method_that_nobody_loads_is_given_up_whole(job: InferJob) -> None:
    """Catches two new processes for each of its images: of those that wait, and of those that come later."""
    backlog = Backlog(2, worker="process")
    backlog.add("first", replace(job, units=job.units[:2]))
    backlog.add("second", replace(job, units=job.units[2:3]))
    for _ in range(2):
        lose(backlog, opened=False)
    backlog.add("third", replace(job, units=job.units[3:]))
    lost = list(backlog.given_up())
    assert {(ticket, made.image) for ticket, made in lost} == {
        ("first", "photo 0"),
        ("first", "photo 1"),
        ("second", "photo 2"),
        ("third", "photo 3"),
    }
    assert {made.error for _, made in lost} == {"the process was killed twice while it loaded Bicubic; look there"}
    assert backlog.empty


def test_a_machine_that_takes_many_loading_workers_along_is_not_the_method(job: InferJob) -> None:
    """Catches a method that is given up since four workers of one machine were loading it when that went away."""
    backlog = Backlog(3, worker="worker")
    for unit in job.units:
        backlog.add("ticket", replace(job, units=(unit,)))
    at_work = [backlog.take() for _ in job.units]
    for task in at_work:
        backlog.put_back(task, **ENDED)
    assert len(backlog) == 4
    assert list(backlog.given_up()) == []


def test_a_method_that_was_loaded_once_loses_single_images(job: InferJob) -> None:
    """Catches a whole method that is given up for want of memory at one moment."""
    backlog = Backlog(2, worker="process")
    backlog.add("ticket", job)
    lose(backlog, opened=True, done=1)
    lose(backlog, opened=False)
    ((_, made),) = backlog.given_up()
    assert made.image == "photo 1"
    assert images(backlog.take()) == ["photo 2", "photo 3"]
