"""The run folder as it is written: append-only records, run.json and the lock.

One writer appends a line per finished unit and flushes it; a torn last line (kill -9, full disk) is dropped when the
file is opened again. Every other file is written under a temporary name and renamed.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

from bench.api import Record, RequestError, RunManifest
from bench.engine.folder import CellFolder, RunFolder
from bench.engine.lock import lock_folder
from bench.imaging.atomic import atomic_write, remove_leftovers

_SURELY_LEFT = 3600.0
"""Seconds after which a half-written file in a folder that others write to is nobody's any more."""


class Store(RunFolder):
    """A run folder opened for one writer.

    Raises:
        RequestError: the folder cannot be written, another run is using it, or a record file is damaged.
    """

    def __init__(self, out: Path) -> None:
        """Args: out: The folder; it is made where it is not there."""
        super().__init__(out)
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._lock = lock_folder(out)
        except OSError as fault:
            raise RequestError(
                f"cannot write to the run folder {out}: {fault.strerror or fault}; choose another with --out DIR"
            ) from None
        self._streams: dict[Path, IO[bytes]] = {}
        self._tidied: set[Path] = set()
        remove_leftovers(out, older=_SURELY_LEFT)  # exports are written there without the lock

    def make_folder(self, path: Path) -> None:
        """Make a folder of this run, without what a killed run left there in the middle of writing.

        Raises:
            OSError: the disk refuses.
        """
        if path not in self._tidied:
            path.mkdir(parents=True, exist_ok=True)
            remove_leftovers(path)
            self._tidied.add(path)

    def close(self) -> None:
        """Close the record files and release the lock."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()
        self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, where: CellFolder, record: Record) -> None:
        """Add one line and flush it.

        Raises:
            RequestError: the disk refuses (full, read-only, gone); everything written before stays.
        """
        path = self.records_path(where)
        self._read.pop(path, None)
        line = record.to_json().encode() + b"\n"
        try:
            if path not in self._streams:
                path.parent.mkdir(parents=True, exist_ok=True)
                _drop_torn_tail(path)
                self._streams[path] = path.open("ab", buffering=0)
            start = os.fstat(self._streams[path].fileno()).st_size
            if self._streams[path].write(line) != len(line):
                self._streams[path].truncate(start)
                raise OSError("the disk took only part of the line")
        except OSError as fault:
            raise cannot_write(path, fault) from None

    def write_manifest(self, manifest: RunManifest) -> None:
        """Replace run.json.

        Raises:
            RequestError: the disk refuses; the old file stays.
        """
        path = self.out / "run.json"
        try:
            with atomic_write(path) as stream:
                stream.write(manifest.to_json())
        except OSError as fault:
            raise cannot_write(path, fault) from None


def is_full(fault: OSError) -> bool:
    """Whether a disk refused for good, so that the next file will fare no better: full, over quota, read-only."""
    return fault.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def cannot_write(path: Path, fault: OSError) -> RequestError:
    """The error for a disk that refuses."""
    return RequestError(
        f"cannot write {path}: {fault.strerror or fault}; free some space (or mend what is in the way) and type the "
        "same command again: finished work is kept"
    )


def _drop_torn_tail(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as stream:
        text = stream.read()
        end = text.rfind(b"\n") + 1
        if end != len(text):
            stream.truncate(end)
