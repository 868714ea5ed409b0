"""What may come out of an archive from elsewhere, and how a damaged one shows.

Images and weights are packed already, so an honest archive of them grows little; a bomb grows a thousandfold.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.api import Unavailable

RATIO = 20
"""How much larger than the archive what comes out of it may be. BMP files in a zip reach about 4."""
SPARE = 64 * 2**20
"""Bytes that may come out of however small an archive."""
MOST_ENTRIES = 200_000
"""Entries of an archive, the ones that are not wanted included."""


class Allowance:
    """How much may still come out of one archive."""

    def __init__(self, archive: Path) -> None:
        self.name = archive.name
        self._bytes = self._limit = RATIO * archive.stat().st_size + SPARE
        self._entries = MOST_ENTRIES

    def take(self, size: int) -> None:
        """Count an entry before it is unpacked.

        Args:
            size: Its bytes, as the archive says; no reader gives more than that.
        Raises:
            Unavailable: the archive holds too much.
        """
        self._entries -= 1
        if self._entries < 0:
            raise Unavailable(f"{self.name} holds more than {MOST_ENTRIES} files; it is not unpacked")
        self._bytes -= size
        if self._bytes < 0:
            raise Unavailable(
                f"{self.name} would unpack to more than {self._limit >> 20} MB, over {RATIO} times its size; it is not "
                "unpacked"
            )


@contextmanager
def unpacking(archive: Path) -> Iterator[None]:
    """What is done inside reads an archive.

    Raises:
        Unavailable: it is none, or damaged.
        OSError: the disk.
    """
    try:
        yield
    except OSError as fault:
        # bz2 and gzip say so of damage too, without a number of the system's; zipfile looks for its parts before byte 0
        if fault.errno not in (None, errno.EINVAL) and not isinstance(fault, gzip.BadGzipFile):
            raise
        raise _damaged(archive, fault) from fault
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        lzma.LZMAError,
        zlib.error,
        struct.error,
        EOFError,
        KeyError,
        ValueError,  # a name that is no UTF-8, a number that is none
        OverflowError,
        IndexError,
        RuntimeError,  # a password, or a packing that this Python does not know
    ) as fault:
        raise _damaged(archive, fault) from fault


def _damaged(archive: Path, fault: Exception) -> Unavailable:
    said = " ".join(str(fault).split()).encode("ascii", "backslashreplace").decode()
    return Unavailable(
        f"{archive.name} is not a zip or tar archive, or it is damaged ({said[:200] or type(fault).__name__})"
    )
