"""Reading a whole file that must be one: a pipe or a device would never end."""

from __future__ import annotations

from pathlib import Path

from bench.imaging.hashing import file_stamp


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises:
        OSError: there is none, it is a folder, a pipe or a device, or it cannot be read.
    """
    file_stamp(path)
    return path.read_bytes()
