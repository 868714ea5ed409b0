"""What names an image reference in a key: the bytes of its file and the crop, without decoding."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from bench.api import ImageRef


def fingerprint(ref: ImageRef) -> str:
    """A SHA-256 that changes when the file's bytes or the crop change.

    Args:
        ref: The reference; the file is read in blocks, once as long as its time stamp and size stay.
    Returns:
        64 hex digits.
    Raises:
        OSError: the file cannot be read.
    """
    digest = file_sha256(ref.path)
    if ref.centre_crop is None:
        return digest
    height, width = ref.centre_crop
    return hashlib.sha256(f"{digest};centre-crop:{height}x{width}".encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, remembered by (path, time stamp, size).

    Raises:
        OSError: the file cannot be read.
    """
    stat = path.stat()
    return _file_sha256(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=65536)
def _file_sha256(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
