"""Unpacking the images of one folder of a zip or tar archive; nothing is ever written outside the target."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from bench.api import Unavailable
from bench.archive import Allowance, unpacking
from bench.imaging.io import is_image_name

Member = tuple[str, Callable[[], IO[bytes]]]
"""The name of an entry, and what opens it."""
_LONGEST = 200
"""Bytes of a file name."""
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")


def is_archive(name: str) -> bool:
    """Whether a file name is that of an archive that can be unpacked."""
    return name.lower().endswith(ARCHIVES)


def unpack_images(archive: Path, target: Path, *, member: str = "") -> int:
    """Write the images that lie directly in one folder of an archive.

    Args:
        archive: zip or tar, recognised by content.
        target: An existing folder; the images come directly into it.
        member: The folder inside the archive; "": the archive's top level, or its only folder with images.
    Returns:
        How many images were written.
    Raises:
        Unavailable: no archive, a damaged one, one without these images, one with a path that leaves its folder, a name
            that comes twice or is no text, or one that holds more than `bench.archive` allows.
        OSError: the disk is full.
    """
    with unpacking(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                return _write(_zip_members(packed, archive), target, member, archive)
        with tarfile.open(archive) as packed:
            return _write(_tar_members(packed, archive), target, member, archive)


def _write(members: Iterator[Member], target: Path, member: str, archive: Path) -> int:
    wanted = PurePosixPath(member) if member else None
    written: set[str] = set()
    for name, unpack in members:
        path = PurePosixPath(name)
        if not name.isprintable() or len(path.name.encode()) > _LONGEST:
            raise Unavailable(f"{archive.name} holds a name that no file can have, {name[:60]!a}; it is not unpacked")
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise Unavailable(f"{archive.name} holds the path '{name}', which leaves its folder; it is not unpacked")
        if not is_image_name(path.name):
            continue
        if wanted is None:
            wanted = path.parent
        if path.parent != wanted:
            continue
        if path.name in written:
            raise Unavailable(f"{archive.name} holds two files '{name}'; it is not unpacked")
        with unpack() as stream, (target / path.name).open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        written.add(path.name)
    if not written:
        raise Unavailable(f"{archive.name} holds no images{f' in {member}' if member else ''}")
    return len(written)


def _zip_members(packed: zipfile.ZipFile, archive: Path) -> Iterator[Member]:
    allowance = Allowance(archive)
    for info in packed.infolist():
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            raise Unavailable(f"{archive.name} holds a link '{info.filename}'; it is not unpacked")
        allowance.take(info.file_size)
        if not info.is_dir():
            yield info.filename, partial(packed.open, info)


def _tar_members(packed: tarfile.TarFile, archive: Path) -> Iterator[Member]:
    allowance = Allowance(archive)
    for info in packed:
        # what is skipped is decompressed all the same
        allowance.take(max(info.size, 0))
        if info.isreg() and not info.issparse():  # links and devices are never written
            yield info.name.removeprefix("./"), partial(_tar_stream, packed, info)


def _tar_stream(packed: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = packed.extractfile(info)
    if stream is None:
        raise tarfile.ReadError(f"'{info.name}' has no content")
    return stream
