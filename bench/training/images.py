"""The training images: decoded once, kept as 8-bit RGB in memory, with test images left out by their pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.api import RequestError
from bench.data.images import image_files
from bench.imaging.errors import ImageError
from bench.imaging.io import read_image


@dataclass(frozen=True)
class ImagePool:
    """Images to draw patches from.

    Attributes:
        images: uint8 (H, W, 3) each.
        names: "folder/file" of each.
        excluded: "folder/file" of images that were left out as duplicates of an excluded image.
        folders: Names of the folders, for the weights card.
    """

    images: tuple[NDArray[np.uint8], ...]
    names: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def pixel_hash(image: NDArray[np.uint8]) -> str:
    """sha256 of shape and pixels, the same for an image and its eight flips and rotations."""
    square = (image, image[::-1], image[:, ::-1], image[::-1, ::-1])
    turned = [np.ascontiguousarray(view) for base in square for view in (base, base.transpose(1, 0, 2))]
    return min(hashlib.sha256(str(view.shape).encode() + view.tobytes()).hexdigest() for view in turned)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A file as a run reads it, as uint8 (H, W, 3); gray is repeated.

    Raises:
        RequestError: not an image, damaged, or partly transparent: what lies behind it would be a choice that the
            weights' card could not tell.
    """
    try:
        pixels = read_image(path).pixels
    except ImageError as fault:
        raise RequestError(
            f"cannot train on {fault}; save it as an opaque 8-bit or 16-bit image, or move it out of the folder"
        ) from fault
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def load_pool(folders: Sequence[Path], *, exclude: Iterable[Path] = (), smallest: int = 1) -> ImagePool:
    """Decode folders of images.

    Args:
        folders: Where the images are.
        exclude: Folders of test images; a training image with the same pixels (also flipped or turned) is left out.
        smallest: Images with a side below this are left out (too small for a patch).
    Returns:
        The pool, in the order of the folders and file names.
    Raises:
        RequestError: a folder is missing or empty, a file is damaged, or nothing is left.
    """
    tests = [read_rgb(path) for folder in exclude for path in image_files(folder)]
    suspects = {_histogram(image) for image in tests}
    banned = {pixel_hash(image) for image in tests}
    images, names, excluded = [], [], []
    for folder in folders:
        for path in image_files(folder):
            image = read_rgb(path)
            name = f"{folder.name}/{path.name}"
            known = _histogram(image) in suspects and pixel_hash(image) in banned
            if known or min(image.shape[:2]) < smallest:
                excluded.append(name)
                continue
            images.append(image)
            names.append(name)
    if not images:
        raise RequestError(f"no training image is left: {len(excluded)} were too small or equal a test image")
    return ImagePool(tuple(images), tuple(names), tuple(excluded), tuple(folder.name for folder in folders))


def _histogram(image: NDArray[np.uint8]) -> bytes:
    """Equal for equal pixels in any order: a cheap first sieve before `pixel_hash`."""
    return b"".join(np.bincount(image[..., channel].ravel(), minlength=256).tobytes() for channel in range(3))
