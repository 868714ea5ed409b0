"""What an inference process of this machine does: the loop at its end of the pipe, and what it says."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.api import RequestError
from bench.engine.making import Maker
from bench.engine.packed import unpack_job
from bench.engine.processes import begin_process

DONE = "done"
"""Sent after the last image of a job."""
OTHERWISE = "leave out --procs"
"""How to do without these processes."""


@dataclass(frozen=True)
class Refused:
    """What ends the run, as another process says it."""

    reason: str


def serve(pipe: Connection) -> None:
    """Compute what comes through the pipe until it is closed; what a process does."""
    begin_process(1)
    maker = Maker()
    next_step = f"put it into a file and name that with --plugin, or {OTHERWISE}"
    with suppress(EOFError, ConnectionError):
        while True:
            packed = pipe.recv()
            try:
                job = unpack_job(packed, where="in another process", next_step=next_step)
                for said in maker.run(job):
                    pipe.send(said)
                pipe.send(DONE)
            except RequestError as fault:
                pipe.send(Refused(str(fault)))
