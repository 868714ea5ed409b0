"""Decoded source images, kept for the next scale or method; bounded by bytes, known by path and stamp."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Literal

from bench.imaging.hashing import Stamp, file_stamp, is_settled
from bench.imaging.io import LoadedImage, read_image

LIMIT_BYTES = 192 * 2**20
"""What all kept images may take together in a process; a larger image is not kept."""


class _Kept(OrderedDict[tuple[Path, Stamp, str], LoadedImage]):
    """Images in the order of their last use, and their bytes."""

    nbytes = 0

    def keep(self, key: tuple[Path, Stamp, str], image: LoadedImage) -> None:
        """Add an image, and drop the oldest ones until the limit holds."""
        self[key] = image
        self.nbytes += image.pixels.nbytes
        while self.nbytes > LIMIT_BYTES:
            self.nbytes -= self.popitem(last=False)[1].pixels.nbytes


_kept = _Kept()


def read_once(path: Path, *, alpha: Literal["refuse", "white", "black"]) -> LoadedImage:
    """`read_image`, decoded once as long as the file does not change and there is room.

    Returns:
        The image; its pixels are read-only, since others get the same array.
    Raises:
        ImageError: as `read_image`; a failure is not remembered.
    """
    try:
        stamp = file_stamp(path)
    except OSError:
        return read_image(path, alpha=alpha)
    key = (path, stamp, alpha)
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    image = read_image(path, alpha=alpha)
    image.pixels.flags.writeable = False
    if image.pixels.nbytes <= LIMIT_BYTES and is_settled(stamp):
        _kept.keep(key, image)
    return image
