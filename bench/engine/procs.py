"""Inference in processes of this machine, one method loaded in each: `--procs N`, and one process for each GPU.

An image whose process dies is computed once more before it fails; see `Backlog`. On the CPU every process computes with
one thread, whatever their number, since networks round differently with another number of threads.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from bench.api import RequestError
from bench.engine.backlog import Backlog, Task
from bench.engine.inferring import Inference
from bench.engine.making import InferJob, Made, Opened
from bench.engine.packed import pack_job
from bench.engine.processes import refuse_unguarded_script, without_interrupts
from bench.engine.request import RunRequest
from bench.engine.serving import DONE, OTHERWISE, Refused, serve

_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, getattr(signal, "SIGBUS", signal.SIGSEGV)}
)
"""Signals by which native code ends its own process."""


@dataclass
class _Hand:
    """A process.

    Attributes:
        device: Where it computes.
        process: The process.
        pipe: Jobs go down, results come up.
        task: What it is at.
        row: The row whose method is loaded.
    """

    device: str
    process: SpawnProcess
    pipe: Connection
    task: Task | None = None
    row: str = ""


@dataclass
class ProcessInference:
    """Inference in processes, which are started when there is something for them to do.

    Attributes:
        devices: Where each computes.
    """

    devices: tuple[str, ...]
    _hands: list[_Hand] = field(default_factory=list, repr=False)
    _backlog: Backlog = field(default_factory=lambda: Backlog(2, worker="process"), repr=False)

    @property
    def share(self) -> int:
        """Their number."""
        return len(self.devices)

    @property
    def room(self) -> bool:
        """Where fewer jobs wait than there are processes to take them."""
        return len(self._backlog) < len(self.devices)

    @property
    def busy(self) -> bool:
        """Where anything waits, is computed, or has been given up."""
        return not self._backlog.empty or any(hand.task for hand in self._hands)

    def submit(self, ticket: object, job: InferJob) -> None:
        """Put a job at the end of the queue.

        Raises:
            RequestError: the method cannot be sent to another process.
        """
        self._backlog.add(ticket, job)
        self._hand_out()

    def finished(self, *, wait: float) -> Iterator[tuple[object, Made]]:
        """What is there, or comes within so many seconds.

        Raises:
            RequestError: the run cannot go on.
        """
        self._hand_out()
        for lost in self._backlog.given_up():
            yield lost
            wait = 0.0
        at_work = {hand.pipe: hand for hand in self._hands if hand.task}
        for pipe in connection.wait(list(at_work), timeout=wait):
            yield from self._hear(at_work[pipe])  # pyright: ignore - what was given to `wait`
        self._hand_out()

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for hand in self._hands:
            hand.pipe.close()  # an idle one ends by itself
            if hand.task is not None:
                hand.process.kill()  # it does not listen to anything else
        for hand in self._hands:
            hand.process.join(5)
            if hand.process.is_alive():
                hand.process.kill()
                hand.process.join()
        self._hands.clear()
        self._backlog.clear()

    def _hear(self, hand: _Hand) -> Iterator[tuple[object, Made]]:
        """All that a process has to say."""
        while hand.task is not None and hand.pipe.poll():
            try:
                said = hand.pipe.recv()
            except (EOFError, OSError):
                self._bury(hand)
                return
            if isinstance(said, Made):
                hand.task.done += 1
                yield hand.task.ticket, said
            elif isinstance(said, Opened):
                self._backlog.opened(hand.task)
                hand.row = hand.task.row
            elif said == DONE:
                hand.task = None
            elif isinstance(said, Refused):
                hand.task = None
                raise RequestError(said.reason)

    def _bury(self, hand: _Hand) -> None:
        """Put back what a dead process leaves undone."""
        hand.process.join()
        hand.pipe.close()
        self._hands.remove(hand)
        if hand.task is not None:
            self._backlog.put_back(hand.task, ended=_ended(hand), next_step=_way_on(hand))

    def _hand_out(self) -> None:
        """Give every idle process a job, where there is one."""
        while self._backlog:
            row = self._backlog.next_row
            idle = sorted((hand for hand in self._hands if hand.task is None), key=lambda hand: hand.row != row)
            if not idle and len(self._hands) == len(self.devices):
                return
            hand = idle[0] if idle else self._start()
            self._send(hand, self._backlog.take())

    def _send(self, hand: _Hand, task: Task) -> None:
        packed = pack_job(replace(task.job, device=hand.device), otherwise=OTHERWISE)
        hand.task = task
        try:
            hand.pipe.send(packed)
        except OSError:
            self._bury(hand)

    def _start(self) -> _Hand:
        free = Counter(self.devices) - Counter(hand.device for hand in self._hands)
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), name="bench inference")
        with without_interrupts():
            process.start()
        theirs.close()  # else its end would never be seen
        self._hands.append(_Hand(next(free.elements()), process, pipe))
        return self._hands[-1]


def local(request: RunRequest) -> Inference | None:
    """Processes of this machine: as many as were asked for, else one for each of several GPUs, else none.

    Raises:
        RequestError: the device is not there, or the main module is a script that cannot be imported again.
    """
    devices = devices_of(request.device, request.procs)
    if request.procs is None and len(devices) == 1:
        return None
    refuse_unguarded_script()
    return ProcessInference(devices)


def devices_of(device: str, procs: int | None) -> tuple[str, ...]:
    """Where each process computes: shared out over the GPUs where a device stands for all of them.

    Args:
        device: auto, cpu, cuda or cuda:N.
        procs: Their number; None: one for each device.
    Raises:
        RequestError: the device is not there.
    """
    if device == "cpu":
        return ("cpu",) * (procs or 1)
    import torch

    from bench.engine.inference import resolve_device

    device = resolve_device(device)
    count = torch.cuda.device_count() if device == "cuda" else 1
    places = [f"cuda:{index}" for index in range(count)] if count > 1 else [device]
    return tuple(places[index % len(places)] for index in range(procs or len(places)))


def _ended(hand: _Hand) -> str:
    code = hand.process.exitcode or 0
    if -code in _CRASHES:
        return f"crashed ({signal.strsignal(-code)}, signal {-code})"
    return f"was killed (signal {-code}; out of memory?)" if code < 0 else f"ended (exit code {code})"


def _way_on(hand: _Hand) -> str:
    code = hand.process.exitcode or 0
    if -code in _CRASHES:
        return "set PYTHONFAULTHANDLER=1 and run again to see where"
    if code < 0:
        return "run again with a smaller --procs, or where there is more memory"
    return "the method, or a library below it, ends the process where it should raise an exception"
