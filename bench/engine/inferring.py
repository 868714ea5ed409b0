"""Who computes the images of a run: one interface, and the one that computes in this process.

A run asks whether there is `room`, submits a job, and takes what is there; it never waits in `submit`. So it stores
and scores what is finished while others compute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol as TypingProtocol

from bench.api import MethodSpec
from bench.engine.making import InferJob, Made, Maker
from bench.engine.request import RunRequest
from bench.registry import LazyRegistry


class Inference(TypingProtocol):
    """Computes images somewhere; results come back in any order, in the thread of the caller, once they are there."""

    @property
    def share(self) -> int:
        """Methods that compute side by side."""
        ...

    @property
    def room(self) -> bool:
        """Whether another job may be submitted now; where not, take results first."""
        ...

    @property
    def busy(self) -> bool:
        """Whether results are outstanding."""
        ...

    def submit(self, ticket: object, job: InferJob) -> None:
        """Take a job over, without waiting for it."""

    def finished(self, *, wait: float) -> Iterator[tuple[object, Made]]:
        """The results that are there, or that come within so many seconds.

        Raises:
            RequestError: the run cannot go on, see `Maker.run`.
        """
        ...

    def close(self) -> None:
        """End what is under way, and give back processes and memory."""


class InlineInference:
    """Computes in this process, one image after another, each when its result is asked for."""

    share = 1

    def __init__(self, make_folder: Callable[[Path], None]) -> None:
        """Args: make_folder: Makes a folder of images."""
        self._maker = Maker(make_folder)
        self._jobs: deque[tuple[object, InferJob]] = deque()

    @property
    def room(self) -> bool:
        """Where nothing is left to compute."""
        return not self._jobs

    @property
    def busy(self) -> bool:
        """Where something is."""
        return bool(self._jobs)

    def submit(self, ticket: object, job: InferJob) -> None:
        """Keep the job for `finished`."""
        self._jobs.append((ticket, job))

    def finished(self, *, wait: float = 0.0) -> Iterator[tuple[object, Made]]:
        """Everything, computed while it is iterated over; what is not asked for is not computed."""
        while self._jobs:
            ticket, job = self._jobs.popleft()
            for said in self._maker.run(job):
                if isinstance(said, Made):
                    yield ticket, said

    def close(self) -> None:
        """Forget what was not asked for."""
        self._jobs.clear()


MakeInference = Callable[[RunRequest], Inference | None]
"""What is to compute, None where this process is to."""
INFERENCE: LazyRegistry[MakeInference] = LazyRegistry("inference", "bench run --help")
"""Who computes under a name of `--executor`, from here and from the entry-point group `bench.inferences`; under a name
that is not here, this process does."""
INFERENCE.add("local", "bench.engine.procs:local", origin="assr-bench")
INFERENCE.add("ray", "bench.engine.on_ray.inference:infer", origin="assr-bench")

_LARGEST_BATCH = 16
"""Images: by then what sending a job costs is nothing to what computing them does."""


def batch_size(spec: MethodSpec, units: int, share: int) -> int:
    """Images of a cell that are computed in one process without a look at the others.

    A method that computes the images of a cell together gets them together; else each process comes back a few times,
    so that none is left with much when the others have nothing to do.

    Args:
        spec: The method.
        units: Images of the cell.
        share: Processes that compute; 0: this one alone, which is told of all images that come.
    """
    if spec.prepares or share == 0:
        return max(1, units)
    return max(1, min(_LARGEST_BATCH, units // (4 * share)))


def batches(spec: MethodSpec, units: Sequence[object], share: int) -> Iterator[slice]:
    """The places of each batch among the images of a cell; arguments as for `batch_size`."""
    size = batch_size(spec, len(units), share)
    for start in range(0, len(units), size):
        yield slice(start, start + size)
