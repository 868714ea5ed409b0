"""Decoded source images, kept for the next scale or method; bounded by bytes, known by path and stamp."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Literal

from bench.imaging.errors import ImageError
from bench.imaging.hashing import Stamp, file_stamp, is_settled
from bench.imaging.io import LoadedImage, read_image

LIMIT_BYTES = 192 * 2**20
"""What all kept images may take together in a process; a larger image is not kept."""

_kept: OrderedDict[tuple[Path, Stamp, str], LoadedImage] = OrderedDict()


def read_once(path: Path, *, alpha: Literal["refuse", "white", "black"]) -> LoadedImage:
    """`read_image`, decoded once as long as the file does not change and there is room.

    Returns:
        The image; its pixels are read-only, since others get the same array.
    Raises:
        ImageError: as `read_image`; a failure is not remembered.
    """
    try:
        stamp = file_stamp(path)
    except OSError as fault:  # a link that leads nowhere, a pipe
        raise ImageError(f"{path}: expected an image file, but it cannot be read: {fault.strerror or fault}") from fault
    key = (path, stamp, alpha)
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    image = read_image(path, alpha=alpha)
    image.pixels.flags.writeable = False
    if image.pixels.nbytes <= LIMIT_BYTES and is_settled(stamp):
        _kept[key] = image
        while sum(kept.pixels.nbytes for kept in _kept.values()) > LIMIT_BYTES:
            _kept.popitem(last=False)
    return image
