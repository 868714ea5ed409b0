"""The one way to write a file: to a temporary name in the same folder, then renamed, so no reader sees half of it."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal


@contextmanager
def atomic_write(path: Path | str, mode: Literal["w", "wb"] = "w", *, durable: bool = True) -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when the block ends without an error.

    Args:
        path: The file to make or replace; its folder must exist.
        mode: "w" (UTF-8, newlines as given) or "wb".
        durable: Wait until the bytes are on the disk (fsync). False where the content can be made again: the file is
            still whole or absent after the process is killed, but may be damaged by a power failure.
    Yields:
        The open file.
    Raises:
        ValueError: another mode.
        OSError: the folder is missing, read-only or full; the old file stays as it was and nothing is left behind.
    """
    if mode not in ("w", "wb"):
        raise ValueError(f"atomic_write opens with 'w' or 'wb', got '{mode}'")
    target = Path(path)
    encoding, newline = ("utf-8", "") if mode == "w" else (None, None)
    try:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    except OSError as fault:  # names the file that was asked for, not the temporary one
        raise type(fault)(fault.errno, fault.strerror, str(target)) from fault
    try:
        with os.fdopen(handle, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        with suppress(OSError):  # some network and container file systems refuse it, and the file is whole all the same
            Path(name).chmod(0o666 & ~_UMASK)  # mkstemp makes files that only their owner can read
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def remove_leftovers(folder: Path, *, older: float = 0.0) -> None:
    """Remove the temporary files of `atomic_write` that killed processes left directly in a folder.

    Args:
        folder: Nobody may be writing to it at the moment, or `older` must tell those files apart.
        older: Only files that were touched last so many seconds ago.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _LEFTOVER.fullmatch(entry.name):
                with suppress(OSError):
                    if entry.is_file(follow_symlinks=False) and time.time() - entry.stat().st_mtime >= older:
                        Path(entry).unlink()


_LEFTOVER = re.compile(r"\.[a-z0-9_]{8}\.part")
"""The names that `tempfile` makes."""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()
"""Read once at import: reading it means setting it, which is not safe beside other threads."""
