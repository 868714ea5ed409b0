"""Finding the images of a folder and naming them; nothing is decoded here."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bench.api import RequestError, Size
from bench.imaging.io import SUFFIXES, is_image_name

_ORIENTATION = 0x0112
_UNSAFE = frozenset('/\\:*?"<>|')
_LONGEST_ID = 200
"""Bytes; leaves room for a suffix within the 255 of common file systems."""
_OTHER_FORMATS = (
    *(".jpe", ".jfif", ".jif", ".jp2", ".j2k", ".jpx", ".jxl", ".avif", ".heic", ".heif", ".gif", ".apng"),
    *(".ppm", ".pgm", ".pnm", ".pbm", ".pfm", ".tga", ".exr", ".hdr", ".psd", ".qoi", ".dds", ".ico"),
    *(".dng", ".cr2", ".nef", ".arw", ".raw"),
)
"""Suffixes of images that no reader here takes."""


@dataclass(frozen=True)
class Listing:
    """What lies directly in a folder, sorted by name, hidden entries left out.

    Attributes:
        images: Everything that is called like an image and is no folder: links that lead nowhere, pipes and files that
            nobody may read too, which fail when they are read and must not be missing from a count.
        folders: The folders.
        unreadable: Images by their suffix, of formats that are not read.
    """

    images: tuple[Path, ...]
    folders: tuple[Path, ...]
    unreadable: tuple[Path, ...] = ()


def listing(folder: Path) -> Listing:
    """The content of a folder, read once.

    Raises:
        RequestError: it cannot be listed.
    """
    images: list[Path] = []
    folders: list[Path] = []
    unreadable: list[Path] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if _is_folder(entry):
                    if not entry.name.startswith("."):
                        folders.append(folder / entry.name)
                elif is_image_name(entry.name):
                    images.append(folder / entry.name)
                elif not entry.name.startswith(".") and entry.name.lower().endswith(_OTHER_FORMATS):
                    unreadable.append(folder / entry.name)
    except OSError as fault:
        raise RequestError(f"cannot list {folder}: {fault.strerror or fault}; give a folder of images") from None
    return Listing(tuple(sorted(images)), tuple(sorted(folders)), tuple(sorted(unreadable)))


def image_files(folder: Path) -> list[Path]:
    """The images that lie directly in a folder, sorted by name, see `Listing`.

    Raises:
        RequestError: no image, or a folder that cannot be listed.
    """
    found = listing(folder)
    if not found.images:
        seen = f", got {found.unreadable[0].name}; convert it to PNG" if found.unreadable else ""
        raise RequestError(f"no image in {folder}: expected {', '.join(SUFFIXES)} files directly inside it{seen}")
    return list(found.images)


def list_images(folder: Path) -> dict[str, Path]:
    """The images of a folder by the names that results have.

    Args:
        folder: See `image_files`.
    Returns:
        id -> file, sorted by id. The id is the file name without its suffix, in Unicode's composed form (NFC), so that
        a name typed on one system is found on another.
    Raises:
        RequestError: no image, two images of one stem, a name that cannot name a result file, an unreadable folder.
    """
    return named(image_files(folder), folder)


def named(files: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Some images of a folder by the names that results have, see `list_images`."""
    found: dict[str, Path] = {}
    for path in files:
        key = unicodedata.normalize("NFC", path.stem)
        if key in found:
            raise RequestError(
                f"two images in {folder} have the name '{key}': {found[key].name} and {path.name}; "
                "every image needs a name of its own, so move one of them away"
            )
        _require_safe(key, folder)
        found[key] = path
    return dict(sorted(found.items()))


def header_size(path: Path) -> Size | None:
    """The upright (height, width) that a file's header tells; None where it cannot be read."""
    if not path.is_file():  # opening a pipe would wait for its other end
        return None
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception:  # Pillow's plugins raise whatever a damaged file provokes; decoding will say it properly
        return None
    return (width, height) if turned else (height, width)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _require_safe(key: str, folder: Path) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise RequestError(f"an image name in {folder} is not valid UTF-8: {key!r}; rename the file") from None
    bad = sorted({character for character in key if character in _UNSAFE or not character.isprintable()})
    if bad or size > _LONGEST_ID or key != key.strip() or key.endswith("."):
        why = f"it contains {' '.join(map(repr, bad))}" if bad else "it is too long or ends in a space or a dot"
        raise RequestError(
            f"the image name {key!r} in {folder} cannot name a result file on every system ({why}); rename the file"
        )
