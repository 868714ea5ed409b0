"""What a file or a folder holds, as one hash: names, places and dates do not enter.

The one reader of files for hashing. A hash is remembered as long as nothing of the file's stamp changes, the time of
the last change of its inode included, which no tool can set back.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

_SETTLED_NS = 2_000_000_000
"""A younger file may change again within the resolution of its time stamps (2 s on FAT), so its hash is not kept."""
_PROSE = frozenset({".md", ".rst", ".pdf", ".log"})
MOST_FILES = 100_000
"""In a folder that is hashed: what holds more is a home or a whole disk."""
_TOKENIZER = frozenset({"vocab.txt", "merges.txt"})
"""The text files that a model reads."""
_TITLES = ("readme", "licence", "license", "notice", "changelog", "citation")

Stamp = tuple[int, int, int, int]
"""Times of the last change of content and of inode in nanoseconds, size, inode."""


def file_stamp(path: Path) -> Stamp:
    """What changes whenever a file does, without reading it.

    Raises:
        OSError: there is none, or it is no regular file (a pipe or a device would never end).
    """
    info = path.stat()
    if stat.S_ISDIR(info.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "expected a regular file", str(path))
    return info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino


def is_settled(stamp: Stamp) -> bool:
    """Whether a file of this stamp cannot change again without changing it."""
    return time.time_ns() - max(stamp[:2]) > _SETTLED_NS


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, 64 hex digits, read in blocks and only once per stamp.

    Raises:
        OSError: the file cannot be read.
    """
    stamp = file_stamp(path)
    return _remembered(path, stamp) if is_settled(stamp) else _sha256(path)


def content_hash(path: Path, files: Iterable[Path] | None = None) -> str:
    """The content of a file or folder, 64 hex digits: a file's bytes, or each file's bytes and name within the folder.

    Args:
        path: Moving or renaming it changes nothing.
        files: What of a folder counts; None: `content_files`.
    Raises:
        OSError: a file cannot be read.
    """
    if not path.is_dir():
        return file_sha256(path)
    counted = {file.relative_to(path).as_posix(): file for file in (content_files(path) if files is None else files)}
    lines = [f"{file_sha256(file)} {name}\n" for name, file in sorted(counted.items())]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def content_files(folder: Path) -> Iterator[Path]:
    """The files below a folder that a program may read: everything but prose, hidden files and compiled Python.

    Prose is *.md, *.rst, *.pdf, *.log, every *.txt that is no tokenizer's, and what is called README, LICENSE, NOTICE,
    CHANGELOG or CITATION.

    Raises:
        OSError: the folder holds more than `MOST_FILES`.
    """
    for path in sorted(_bounded(folder)):
        inside = path.relative_to(folder).parts
        if any(part.startswith(".") or part == "__pycache__" for part in inside) or _is_prose(path.name.lower()):
            continue
        if path.is_file():
            yield path


def _bounded(folder: Path) -> Iterator[Path]:
    for number, path in enumerate(folder.rglob("*")):
        if number >= MOST_FILES:
            raise OSError(
                errno.E2BIG, f"more than {MOST_FILES} files in it; give the folder that is meant", str(folder)
            )
        yield path


def _is_prose(name: str) -> bool:
    if name.startswith(_TITLES) or Path(name).suffix in _PROSE:
        return True
    return name.endswith(".txt") and name not in _TOKENIZER


@lru_cache(maxsize=65536)
def _remembered(path: Path, stamp: Stamp) -> str:
    return _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
