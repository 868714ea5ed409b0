"""Which file belongs to which image and scale, and what is in it (no torch here)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.api import Size, UnitError, user_path
from bench.imaging.errors import ImageError
from bench.imaging.io import is_image_name, read_image, read_png_exact


def locate(folder: Path, image: str, scale: str, pattern: str = "") -> Path:
    """Find the file of one unit.

    Args:
        folder: Where the outputs lie; its subfolder "x<scale>" is taken instead where there is one and no pattern.
        image: Image id; a "/" in it names a subfolder, and so does the set of a pooled set's id: for `Set5-baby` a
            subfolder Set5 is taken where there is one.
        scale: As file names show it, "4" or "3.6".
        pattern: With {image} and the fields of `scale_fields`; empty: `<image>.<any suffix>`, else the one file whose
            name goes on with this scale (`baby_x4.png`, `babyx4_SwinIR.png`), else the one that goes on with a word
            that all files of the folder end with (`baby_SwinIR.png`). Never a guess between two.
    Raises:
        UnitError: no file, or several; says what was looked for and what is there.
    """
    folder = user_path(folder)
    if pattern:
        path = folder / pattern.format(image=image, **scale_fields(scale))
        if not path.is_file():
            raise UnitError(f"no file {path} (precomputed.pattern={pattern}); {_listing(_images(path.parent))}")
        return path
    if (folder / f"x{scale}").is_dir():
        folder = folder / f"x{scale}"
    *parents, stem = image.split("/")
    folder = folder.joinpath(*parents)
    part, dash, rest = stem.partition("-")
    if dash and (folder / part).is_dir():
        return locate(folder / part, rest, scale)
    files = _images(folder)
    found = [file for file in files if file.stem == stem] or _by_scale(files, stem, scale) or _by_ending(files, stem)
    if len(found) == 1:
        return found[0]
    how = "name it with --set precomputed.pattern=..., such as {image}_x{scale}.png"
    if found:
        names = ", ".join(file.name for file in found[:4])
        raise UnitError(f"{len(found)} files in {folder} could be image '{image}' at x{scale}: {names}; {how}")
    raise UnitError(f"no file for image '{image}' at x{scale} in {folder}; {_listing(files)}; {how}")


def scale_fields(scale: str) -> dict[str, str]:
    """The ways in which programs write a scale into a file name, by the name of the field in a pattern.

    >>> scale_fields("4")
    {'scale': '4', 'float_scale': '4.0', 'scale_2f': '4.00'}
    """
    value = float(scale)
    return {"scale": scale, "float_scale": str(value), "scale_2f": f"{value:.2f}"}


def read_sr(path: Path, size: Size, *, slack: int = 0) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read an SR image of this size.

    Args:
        path: Any still image; a 16-bit PNG keeps its 16 bits, other 16-bit files are read in 8.
        size: (height, width) that it must have.
        slack: Pixels by which a side may be off.
    Returns:
        (H, W, 3) or, for a gray file, (H, W); uint8 or uint16.
    Raises:
        UnitError: unreadable, or of another size.
    """
    try:
        loaded = read_image(path)
        pixels = loaded.pixels
        if loaded.bits == 16 and path.suffix.lower() == ".png":
            pixels = read_png_exact(path)
    except ImageError as fault:
        raise UnitError(str(fault)) from None
    off = max(abs(pixels.shape[axis] - size[axis]) for axis in (0, 1))
    if off > slack:
        hint = "; --sr-size within-1 allows for one pixel" if off == 1 else ""
        raise UnitError(
            f"{path} is {pixels.shape[0]} x {pixels.shape[1]} (height x width), expected {size[0]} x {size[1]}; it is "
            f"never resized: check the scale, and that the image was made from this protocol's LR{hint}"
        )
    return pixels


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if is_image_name(file.name) and not file.is_dir())


def _by_scale(files: list[Path], stem: str, scale: str) -> list[Path]:
    rest = re.compile(rf"[ _.-]?(?:[xX]{re.escape(scale)}|{re.escape(scale)}[xX])(?![0-9.]*[0-9]).*", re.DOTALL)
    return [file for file in files if file.stem.startswith(stem) and rest.fullmatch(file.stem[len(stem) :])]


def _by_ending(files: list[Path], stem: str) -> list[Path]:
    """Files `<stem><ending>` whose ending is a word that the whole folder shares, so `img_2` is not `img`."""
    ending = re.compile(r"[ _.-](?![xX]?\d)[^\W\d_].*", re.DOTALL)
    found = [f for f in files if f.stem.startswith(stem) and ending.fullmatch(f.stem[len(stem) :])]
    return [f for f in found if all(other.stem.endswith(f.stem[len(stem) :]) for other in files)]


def _listing(files: list[Path]) -> str:
    if not files:
        return "there are no images in that folder"
    names = ", ".join(file.name for file in files[:4])
    return f"it holds {len(files)} images: {names}{', …' if len(files) > 4 else ''}"
