"""How a command is stopped: SIGTERM (a time limit, `scancel`, `docker stop`, `timeout`) works as Ctrl-C does, and
neither is lost."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_BY_CTRL_C = 128 + signal.SIGINT
_BY_SIGTERM = 128 + signal.SIGTERM
_SOON = 0.05
"""Seconds until a lost signal comes again; by then the finaliser that swallowed it is over."""


@contextmanager
def stops_in_order() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block when SIGTERM comes, too; the exit code is then 143 where it would be 130.

    A process that was told to ignore SIGTERM, or has a handler of its own, keeps that. Python drops what is raised
    while a finaliser runs (`__del__` of any library), and with it the signal: that one is sent again.
    """
    terminated = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    def again(dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(dropped)
            return
        timer = threading.Timer(_SOON, _signal_main_thread, [signal.SIGTERM if terminated else signal.SIGINT])
        timer.daemon = True
        timer.start()

    ours = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, stop)
    sys.unraisablehook = again
    try:
        yield
    except SystemExit as end:
        if terminated and end.code == _BY_CTRL_C:
            sys.exit(_BY_SIGTERM)
        raise
    finally:
        sys.unraisablehook = sys.__unraisablehook__
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _signal_main_thread(number: signal.Signals) -> None:
    ident = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and ident is not None:
        signal.pthread_kill(ident, number)  # wakes it, where it waits
    else:
        _thread.interrupt_main(number)
