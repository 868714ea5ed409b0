"""Inference on a Ray cluster: one actor for each GPU, or for each core, that keeps a method loaded and takes jobs.

An image whose actor is lost, alone or with its machine, is computed by another, up to three times in all; see
`Backlog`. A new actor is asked for, and takes part when the cluster has room for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from bench.api import RequestError, counted
from bench.engine.backlog import Backlog, Task
from bench.engine.inferring import Inference
from bench.engine.making import InferJob, Made, Maker, Opened
from bench.engine.on_ray.cluster import Cluster, open_cluster
from bench.engine.on_ray.files import Received, Sent
from bench.engine.on_ray.parcel import Parcel, pack, unpack
from bench.engine.processes import limit_threads
from bench.engine.request import RunRequest, is_cuda
from bench.engine.serving import Refused

_LOST = "was lost (killed, out of memory, or its machine gone)"
_WAY_ON = "--executor local --procs 1 computes it where its end can be seen"
_LONELY = 300.0
"""Seconds without a single worker after which a run gives up: a cluster may be slow to start one, or be full."""


class Worker:
    """What an actor does: compute jobs, one after another, with one thread."""

    def __init__(self, device: str, home: str = "") -> None:
        """Args: device: cpu or cuda. home: Where it makes a folder of its own, see `Received`."""
        limit_threads(1)
        self._device = device
        self._maker = Maker()
        self._received = Received(home)

    def ready(self) -> bool:
        """True, once the actor lives."""
        return True

    def clear(self) -> None:
        """Remove the files that were received."""
        self._received.clear()

    def make(self, parcel: Parcel) -> Iterator[Made | Opened | Refused]:
        """What `Maker.run` says of a job, as soon as it does, or why the run cannot go on."""
        try:
            job = replace(unpack(parcel, self._received), device=self._device)
            for said in self._maker.run(job):
                yield said if parcel.shared or isinstance(said, Opened) else self._with_file(job, said)
        except RequestError as fault:
            yield Refused(self._received.as_sent(str(fault)))

    def _with_file(self, job: InferJob, made: Made) -> Made:
        """A result with the file that was written here, which goes."""
        if made.output is None:
            error, details = (self._received.as_sent(text) for text in (made.error, made.details))
            return replace(made, error=error, details=details)
        path = job.out / made.output.path
        content = path.read_bytes()
        path.unlink()
        return replace(made, png=content)


@dataclass
class _Hand:
    """An actor.

    Attributes:
        actor: Its handle.
        ready: A reference that is there when it lives; None afterwards.
        task: What it is at.
        results: References to what comes of that.
    """

    actor: Any
    ready: Any
    task: Task | None = None
    results: Any = None

    @property
    def awaited(self) -> Any:
        """What comes next from it; None where nothing does."""
        return self.ready if self.ready is not None or self.task is None else self.results


@dataclass
class RayInference:
    """Inference by actors.

    Attributes:
        cluster: Where.
        share: Their number.
        device: cpu, or cuda with a GPU each.
        cpus: Of the cluster, that each occupies.
        shared: Whether they see the files of this machine.
    """

    cluster: Cluster
    share: int
    device: str
    cpus: float
    shared: bool
    _hands: list[_Hand] = field(default_factory=list, repr=False)
    _backlog: Backlog = field(default_factory=lambda: Backlog(3, worker="worker"), repr=False)
    _sent: Sent = field(default_factory=Sent, repr=False)
    _alone_since: float = field(default_factory=time.monotonic, repr=False)

    @property
    def room(self) -> bool:
        """Where fewer jobs wait than there are actors: so many images are on their way at most."""
        return len(self._backlog) < self.share

    @property
    def busy(self) -> bool:
        """Where anything waits, is computed, or has been given up."""
        return not self._backlog.empty or any(hand.task for hand in self._hands)

    def submit(self, ticket: object, job: InferJob) -> None:
        """Put a job at the end of the queue."""
        self._backlog.add(ticket, job)
        self._hand_out()

    def finished(self, *, wait: float) -> Iterator[tuple[object, Made]]:
        """What is there, or comes within so many seconds.

        Raises:
            RequestError: the run cannot go on, or there has been no worker for minutes.
        """
        import ray

        self._hand_out()
        for lost in self._backlog.given_up():
            yield lost
            wait = 0.0
        waiting = {hand.awaited: hand for hand in self._hands if hand.awaited is not None}
        if waiting:
            there, _ = ray.wait(list(waiting), num_returns=1, timeout=wait)
            if there:
                there, _ = ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
            for reference in there:
                yield from self._hear(waiting[reference])
        self._hand_out()
        self._look_for_workers()

    def close(self) -> None:
        """End the actors, whatever they are at."""
        import ray
        from ray.exceptions import RayError

        with suppress(RayError):  # an actor that is killed leaves its files where they are
            idle = [hand.actor for hand in self._hands if hand.ready is None and hand.task is None]
            if idle:
                ray.wait([actor.clear.remote() for actor in idle], num_returns=len(idle), timeout=2)
        for hand in self._hands:
            ray.kill(hand.actor)
        self._hands.clear()
        self._backlog.clear()
        self.cluster.close()

    def _hear(self, hand: _Hand) -> Iterator[tuple[object, Made]]:
        """What an actor has to say."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            if hand.ready is not None:
                ray.get(hand.ready)
                hand.ready = None
                return
            task = hand.task
            while task is not None and ray.wait([hand.results], timeout=0)[0]:
                said: Any = ray.get(next(hand.results))
                if isinstance(said, Refused):
                    raise RequestError(said.reason)
                if isinstance(said, Opened):
                    self._backlog.opened(task)
                    continue
                task.done += 1
                yield task.ticket, said
        except StopIteration:
            hand.task = hand.results = None
        except RayTaskError as fault:
            raise RequestError(
                f"a worker of the cluster failed: {fault.cause!r}; type the same command again, finished work is kept"
            ) from fault
        except RayError:
            self._bury(hand)

    def _bury(self, hand: _Hand) -> None:
        """Put back what a lost actor leaves undone."""
        self._hands.remove(hand)
        if hand.task is not None:
            self._backlog.put_back(hand.task, ended=_LOST, next_step=_WAY_ON)

    def _hand_out(self) -> None:
        """Give every idle actor a job, where there is one; ask for actors that are not there."""
        while len(self._hands) < self.share and sum(hand.task is None for hand in self._hands) < len(self._backlog):
            self._hands.append(self._start())
        for hand in self._hands:
            if self._backlog and hand.ready is None and hand.task is None:
                hand.task = self._backlog.take()
                parcel = pack(hand.task.job, self._sent, shared=self.shared)
                # a worker that is ahead of the one who takes its results waits for that one
                make = hand.actor.make.options(num_returns="streaming", _generator_backpressure_num_objects=2)
                hand.results = make.remote(parcel)

    def _start(self) -> _Hand:
        import ray

        kind = ray.remote(
            num_cpus=self.cpus,
            num_gpus=1 if self.device == "cuda" else 0,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )(Worker)
        actor: Any = kind.remote(self.device, self.cluster.home)
        return _Hand(actor, actor.ready.remote())

    def _look_for_workers(self) -> None:
        if not self.busy or any(hand.ready is None for hand in self._hands):
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > _LONELY:
            kind = "a GPU" if self.device == "cuda" else "a core"
            raise RequestError(
                f"no machine of the cluster had {kind} free for {_LONELY:.0f} seconds ('ray status' shows what it "
                "has); type the same command again when it has, finished work is kept"
            )


def infer(request: RunRequest) -> Inference:
    """Actors of a cluster: as many as were asked for, else one for each GPU, else one for each core but one of four.

    Raises:
        RequestError: no cluster, or one without the device.
    """
    if request.device.startswith("cuda:"):
        raise RequestError(f"--device {request.device}: which GPU is the cluster's choice; give --device cuda")
    scoring = request.workers or 0
    cluster = open_cluster(request.cluster, cpus=(request.procs or 1) + max(1, scoring))
    cpus, gpus = cluster.resource("CPU"), int(cluster.resource("GPU"))
    if is_cuda(request.device) and not gpus:
        cluster.close()
        raise RequestError(
            f"--device cuda: the cluster has no GPU, but {counted(int(cpus), 'core')}; give --device cpu"
        )
    on_gpu = gpus > 0 and request.device != "cpu"
    left = cpus - (scoring or max(1, int(cpus) // 4))
    share = request.procs or (gpus if on_gpu else max(1, int(left)))
    return RayInference(
        cluster, share, "cuda" if on_gpu else "cpu", 1.0 if left >= 1 else 0.5, request.cluster.shared_fs
    )
