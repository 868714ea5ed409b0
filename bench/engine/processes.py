"""What all worker processes of a run have in common: how they start, how many threads they take, when they end."""

from __future__ import annotations

import ast
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import connection, parent_process, resource_tracker
from pathlib import Path

from bench.api import RequestError

_STOPPING = (signal.SIGINT, signal.SIGTERM)
"""What a terminal or a batch system may send to all processes of a command, of which the main one decides."""


def begin_process(threads: int) -> None:
    """Set up a worker process: so many threads, no reaction to Ctrl-C or SIGTERM, and an end when the main process
    ends."""
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)
    limit_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def limit_threads(threads: int) -> None:
    """Bound the threads of this process's numeric libraries, those that are imported later too."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    import cv2

    cv2.setNumThreads(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def without_interrupts(numbers: Sequence[signal.Signals] = _STOPPING) -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, not even while they import; it reaches this one after the block.

    Args:
        numbers: What they are kept from for good, unless they set their own mask.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # starting it unblocks the signal again, so it must run before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set(numbers))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def refuse_unguarded_script() -> None:
    """Refuse a script that every process which it starts would run again from its top.

    Raises:
        RequestError: the main module is a script that nowhere asks for its `__name__`.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    # `python -m` and what a package installs as a command are imported by name, a prompt and a notebook not at all
    if file is None or getattr(main, "__spec__", None) is not None:
        return
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    if not any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(tree)):
        raise RequestError(
            f"{file} starts processes that import it again, and so would each run it from the top: put the call below "
            'if __name__ == "__main__":, or do without processes (workers=0, no procs)'
        )


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
