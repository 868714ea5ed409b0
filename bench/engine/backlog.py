"""Jobs that wait for workers, and what becomes of one whose worker is lost: the same for processes and for actors.

A lost worker loses the image that it was at. That one is computed again, in a job of its own, and fails when it has
cost so many workers; the images behind it go on. A method that no worker has ever loaded is given up, with all its
images, when one of them has cost so many workers.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.engine.making import InferJob, InferUnit, Made


@dataclass
class Task:
    """A job, or what is left of one.

    Attributes:
        ticket: What it belongs to.
        job: The images.
        done: How many of them are finished.
        opened: Whether the method is loaded where the job is.
    """

    ticket: object
    job: InferJob
    done: int = 0
    opened: bool = False

    @property
    def row(self) -> str:
        """The folder of the method with its weights and options: what a worker keeps loaded."""
        return self.job.choice.folder

    def of(self, *units: InferUnit) -> Task:
        """The same for other images, none of them begun."""
        return Task(self.ticket, replace(self.job, units=units))


class Backlog:
    """Tasks in the order in which workers are to take them, and the images that are given up."""

    def __init__(self, tries: int, *, worker: str) -> None:
        """Args: tries: Workers that one image may cost. worker: What one is called."""
        self._limit = tries
        self._worker = worker
        self._tasks: deque[Task] = deque()
        self._given_up: deque[tuple[object, Made]] = deque()
        self._tries: Counter[str] = Counter()
        self._opened: set[str] = set()
        self._unloadable: dict[str, str] = {}

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._tasks)

    @property
    def empty(self) -> bool:
        """Where no task waits and nothing is left to say of an image that was given up."""
        return not self._tasks and not self._given_up

    @property
    def next_row(self) -> str:
        """The row of the task that is next; "" where there is none."""
        return self._tasks[0].row if self._tasks else ""

    def add(self, ticket: object, job: InferJob) -> None:
        """Put a job at the end; at once given up where its method cannot be loaded."""
        self._queue(Task(ticket, job), first=False)

    def take(self) -> Task:
        """The next task.

        Raises:
            IndexError: none waits.
        """
        return self._tasks.popleft()

    def opened(self, task: Task) -> None:
        """A worker has loaded the method of a task that it took."""
        task.opened = True
        self._opened.add(task.row)

    def put_back(self, task: Task, *, ended: str, next_step: str) -> None:
        """Put back what a lost worker leaves undone.

        Args:
            task: What it was at.
            ended: What became of the worker, such as "was killed".
            next_step: What a user can do about it.
        """
        left = task.job.units[task.done :]
        if not left:
            return
        first, *rest = left
        if rest:
            self._queue(task.of(*rest), first=True)
        self._tries[first.place] += 1
        if self._tries[first.place] < self._limit:
            self._queue(task.of(first), first=True)
            return
        times = "twice" if self._limit == 2 else f"{self._limit} times"
        if task.opened:
            reason = f"the {self._worker} that computed it {ended}, {times}; {next_step}"
        else:
            reason = f"the {self._worker} {ended} {times} while it loaded {task.job.choice.display}; {next_step}"
        self._give_up(task.of(first), reason)
        if task.row not in self._opened:
            self._unloadable[task.row] = reason
            waiting = list(self._tasks)
            self._tasks.clear()
            for other in waiting:
                self._queue(other, first=False)

    def given_up(self) -> Iterator[tuple[object, Made]]:
        """The ticket of each image that was given up, and why; each once."""
        while self._given_up:
            yield self._given_up.popleft()

    def clear(self) -> None:
        """Forget the tasks, and the images that were given up."""
        self._tasks.clear()
        self._given_up.clear()

    def _queue(self, task: Task, *, first: bool) -> None:
        reason = self._unloadable.get(task.row)
        if reason is not None:
            self._give_up(task, reason)
        elif first:
            self._tasks.appendleft(task)
        else:
            self._tasks.append(task)

    def _give_up(self, task: Task, reason: str) -> None:
        self._given_up.extend((task.ticket, Made(unit.sample.id, error=reason)) for unit in task.job.units)
