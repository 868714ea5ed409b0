"""What goes through the pipe to an inference process and comes back, and the loop at its other end."""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.api import RequestError
from bench.engine.making import InferJob, Maker
from bench.engine.processes import begin_process
from bench.plugins import load_plugin, plugin_of

OPENED = "opened"
"""Sent when the method of a job is loaded."""
DONE = "done"
"""Sent after the last image of a job."""


@dataclass(frozen=True)
class Refused:
    """What ends the run, as another process says it."""

    reason: str


def serve(pipe: Connection) -> None:
    """Compute what comes through the pipe until it is closed; what a process does."""
    begin_process(1)
    maker = Maker()
    with suppress(EOFError, ConnectionError):
        while True:
            content = pipe.recv_bytes()
            try:
                for made in maker.run(unpacked(content), lambda: pipe.send(OPENED)):
                    pipe.send(made)
                pipe.send(DONE)
            except RequestError as fault:
                pipe.send(Refused(str(fault)))


def packed(job: InferJob) -> bytes:
    """A job as bytes: what is in modules goes by name, so the file of a plugin must be loaded before it is read."""
    return pickle.dumps((plugin_of(job.choice.spec), pickle.dumps(job)))


def unpacked(content: bytes) -> InferJob:
    """The job of some bytes.

    Raises:
        RequestError: the method is not to be had in this process.
    """
    try:
        plugin, job = pickle.loads(content)
        if plugin is not None:
            load_plugin(plugin)
        return pickle.loads(job)
    except RequestError:
        raise
    except Exception as fault:
        raise RequestError(
            f"a method is not to be had in another process ({type(fault).__name__}: {fault}): put it into a file and "
            "name that with --plugin, or leave out --procs"
        ) from fault


def unsendable(job: InferJob, fault: Exception) -> RequestError:
    """The error for a method of which another process cannot be told."""
    name = job.choice.name
    return RequestError(
        f"method {name} cannot be sent to another process ({type(fault).__name__}: {fault}): put it into a file and "
        "name that with --plugin, or leave out --procs"
    )
