"""What ends external programs, and removes their files, when the process that started them is gone, however it went.

A handler of signals would not see SIGKILL. So a second small process holds the other end of a pipe: the system closes
it with the first, and what is then still noted is ended and removed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Run as `python -c`; of the standard library alone, since it starts with every run that has such a program.
_WATCH = """
import os, shutil, signal, sys
groups, folders = set(), set()
for line in sys.stdin.buffer:
    sign, kind, what = line[:1], line[1:2], line[2:-1]
    place = groups if kind == b"g" else folders
    (place.add if sign == b"+" else place.discard)(what)
for group in groups:
    try:
        os.killpg(int(group), signal.SIGKILL)
    except (OSError, ValueError):
        pass
for folder in folders:
    shutil.rmtree(os.fsdecode(folder), ignore_errors=True)
"""


class _Guard:
    """The second process; started with the first thing to note, again where somebody ended it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._notes: set[bytes] = set()

    def note(self, what: bytes) -> None:
        self._notes.add(what)
        self._send(b"+" + what)

    def forget(self, what: bytes) -> None:
        self._notes.discard(what)
        self._send(b"-" + what)

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None and self._owner == os.getpid():
            with suppress(OSError):
                process.stdin.close()
            process.wait()

    def _send(self, line: bytes) -> None:
        if os.name != "posix" or (self._process is None and not self._notes):
            return
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._start()
            line = b"\n".join(b"+" + note for note in sorted(self._notes))
        if self._process is not None and self._process.stdin is not None and line:
            with suppress(OSError):  # ended a moment ago; the next note starts another
                self._process.stdin.write(line + b"\n")
                self._process.stdin.flush()

    def _start(self) -> None:
        self._owner = os.getpid()
        # of a session of its own, or the signal that ends this process would end it as well
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCH],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


_guard = _Guard()
atexit.register(_guard.close)


@contextmanager
def ended_with_us(group: int) -> Iterator[None]:
    """A process group that is running inside: killed when this process ends in whatever way.

    Args:
        group: Its number, which is that of a program started in a session of its own.
    """
    note = b"g%d" % group
    _guard.note(note)
    try:
        yield
    finally:
        _guard.forget(note)


def make_folder() -> Path:
    """A new temporary folder, removed when this process ends in whatever way; `remove_folder` removes it before."""
    folder = Path(tempfile.mkdtemp(prefix="assr-bench-"))
    _guard.note(b"f" + os.fsencode(folder))
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder of `make_folder`, whatever is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    _guard.forget(b"f" + os.fsencode(folder))
