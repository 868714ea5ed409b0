"""The lock of a run folder: one writer at a time, also where the file system knows no locks.

`.lock` is locked by the system (flock), so that the lock goes with its process, however that ends. Some network and
container file systems refuse flock; there the file `.lock-held`, with process and host in it, stands for the lock. One
that a killed process of this host left is taken over; one of another host must be removed by hand.
"""

from __future__ import annotations

import errno
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from bench.api import RequestError

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.ENOSYS, errno.EINVAL})


def lock_folder(out: Path) -> BaseFileLock:
    """Take the lock of a run folder, without waiting.

    Args:
        out: The folder; it must be there.
    Returns:
        The lock; `release()` gives it back.
    Raises:
        RequestError: another run holds it.
        OSError: nothing can be written there.
    """
    lock = FileLock(out / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _held(out) from None
    except (OSError, NotImplementedError) as fault:
        if isinstance(fault, OSError) and fault.errno not in _NO_LOCKS:
            raise
        return _soft(out)
    return lock


def _soft(out: Path) -> BaseFileLock:
    held = out / ".lock-held"
    lock = SoftFileLock(held, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _held(out, f"; if none is running any more, remove {held}") from None
    return lock


def _held(out: Path, more: str = "") -> RequestError:
    return RequestError(
        f"another run is writing to {out}; wait for it to end, or choose another folder with --out{more}"
    )
