"""Unpacking the images of one folder of a zip or tar archive; nothing is ever written outside the target."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from bench.api import Unavailable
from bench.imaging.io import is_image_name

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
        Unavailable: no archive, a damaged one, one without these images, or one with a path that leaves its folder.
        OSError: the disk is full.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                return _write(_zip_members(packed, archive), target, member, archive)
        with tarfile.open(archive) as packed:
            return _write(_tar_members(packed), target, member, archive)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as fault:
        raise Unavailable(f"{archive.name} is not a zip or tar archive, or it is damaged ({fault})") from fault


def _write(members: Iterator[tuple[str, IO[bytes]]], target: Path, member: str, archive: Path) -> int:
    wanted = PurePosixPath(member) if member else None
    written = 0
    for name, stream in members:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise Unavailable(f"{archive.name} holds the path '{name}', which leaves its folder; it is not unpacked")
        if not is_image_name(path.name):
            continue
        if wanted is None:
            wanted = path.parent
        if path.parent != wanted:
            continue
        with stream, (target / path.name).open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        written += 1
    if not written:
        raise Unavailable(f"{archive.name} holds no images{f' in {member}' if member else ''}")
    return written


def _zip_members(packed: zipfile.ZipFile, archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    for info in packed.infolist():
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            raise Unavailable(f"{archive.name} holds a link '{info.filename}'; it is not unpacked")
        if not info.is_dir():
            yield info.filename, packed.open(info)


def _tar_members(packed: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in packed:
        stream = packed.extractfile(info) if info.isreg() else None  # links and devices are never written
        if stream is not None:
            yield info.name.removeprefix("./"), stream
