"""Which file belongs to which image and scale, and what is in it (no torch here)."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from bench.api import Size, Sought, UnitError, format_scale, user_path
from bench.imaging.colour import studio_luma
from bench.imaging.errors import ImageError
from bench.imaging.hashing import is_settled
from bench.imaging.io import AlphaPolicy, is_image_name, read_samples, rounded_to_8bit

_COLOURFUL = 8 / 255
"""Mean spread between channels above which a file is in colour; a network's tint on a gray photograph stays below."""


def sr_planes(folder: Path, sought: Sought, *, pattern: str = "", luma: bool = False) -> NDArray[np.float32]:
    """The file's pixels / 255 (or / 65535).

    Args:
        folder, pattern: As for `locate`.
        sought: The unit.
        luma: Take the studio luma of colour files.
    Returns:
        (3, H, W); equal planes for a gray file and for luma.
    Raises:
        UnitError: no file or several, unreadable, of another size, or in colour where the protocol gives luma.
    """
    path = locate(folder, sought.image, format_scale(sought.scale), pattern)
    pixels = read_sr(path, sought.size, slack=sought.slack, alpha=sought.alpha)
    if pixels.ndim == 3 and luma:
        return _three((studio_luma(pixels) / 255).astype(np.float32))
    if pixels.ndim == 2:
        return _three(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))
    sr = pixels.transpose(2, 0, 1).astype(np.float32, order="C") / np.float32(np.iinfo(pixels.dtype).max)
    lr = sought.lr
    if np.array_equal(lr[..., 0], lr[..., 1]) and np.array_equal(lr[..., 0], lr[..., 2]):
        spread = float((sr.max(axis=0) - sr.min(axis=0)).mean())
        if spread > _COLOURFUL:
            raise UnitError(
                f"{path} is in colour, but the LR image is gray or a luma plane; give the luma, or take the studio "
                "luma of the files with --set precomputed.luma=true"
            )
    return sr


def _three(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.repeat(plane[None], 3, axis=0)


def locate(folder: Path, image: str, scale: str, pattern: str = "") -> Path:
    """Find the file of one unit.

    Args:
        folder: Where the outputs lie; its subfolder "x<scale>" is taken instead where there is one and no pattern.
        image: Image id; a "/" in it names a subfolder, and so does the set of a pooled set's id: for `Set5-baby` a
            subfolder Set5 is taken where there is one.
        scale: As file names show it, "4", "3.6" or "1.5x2".
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
    folder, stem = folder.joinpath(*parents), normalize("NFC", stem)
    files = _images(folder)
    found = files.named(stem)
    if not found:
        part, dash, rest = stem.partition("-")
        if part and dash and (folder / part).is_dir():
            return locate(folder / part, rest, scale)
        found = files.by_scale(stem, scale) or files.by_ending(stem)
    if len(found) == 1:
        return found[0]
    how = "name it with --set precomputed.pattern=..., such as {image}_x{scale}.png"
    if found:
        names = ", ".join(file.name for file in found[:4])
        raise UnitError(f"{len(found)} files in {folder} could be image '{image}' at x{scale}: {names}; {how}")
    raise UnitError(f"no file for image '{image}' at x{scale} in {folder}; {_listing(files)}; {how}")


def scale_fields(scale: str) -> dict[str, str]:
    """The ways in which programs write a scale into a file name, by the name of the field in a pattern.

    >>> scale_fields("4")["scale_2f"], scale_fields("1.5x2")["scale_2f"], scale_fields("1.5x2")["scale_w_2f"]
    ('4.00', '1.50x2.00', '2.00')
    """
    values = [float(part) for part in scale.split("x")]
    ways = {"": scale.split("x"), "float": [str(value) for value in values], "2f": [f"{value:.2f}" for value in values]}
    fields = {"scale": scale, "float_scale": "x".join(ways["float"]), "scale_2f": "x".join(ways["2f"])}
    for axis, place in (("h", 0), ("w", -1)):
        fields |= {f"scale_{axis}": ways[""][place], f"scale_{axis}_2f": ways["2f"][place]}
    return fields


def read_sr(
    path: Path, size: Size, *, slack: int = 0, alpha: AlphaPolicy = "refuse"
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read an SR image of this size.

    Args:
        path: Any still image; a 16-bit PNG keeps its 16 bits, other 16-bit files are read in 8.
        size: (height, width) that it must have.
        slack: Pixels by which a side may be off.
        alpha: What to do with pixels that are not opaque, as for `read_image`.
    Returns:
        (H, W, 3) or, for a gray file, (H, W); uint8 or uint16.
    Raises:
        UnitError: unreadable, or of another size.
    """
    try:
        pixels = read_samples(path, alpha=alpha)
    except ImageError as fault:
        raise UnitError(str(fault)) from None
    if path.suffix.lower() != ".png":
        pixels = rounded_to_8bit(pixels)
    off = max(abs(pixels.shape[axis] - size[axis]) for axis in (0, 1))
    if off > slack:
        hint = "; --sr-size within-1 allows for one pixel" if off == 1 else ""
        raise UnitError(
            f"{path} is {pixels.shape[0]} x {pixels.shape[1]} (height x width), expected {size[0]} x {size[1]}; it is "
            f"never resized: check the scale, and that the image was made from this protocol's LR{hint}"
        )
    return pixels


@dataclass(frozen=True)
class _Images:
    """The images of a folder, found by name without walking over all of them.

    Attributes:
        files: Sorted by stem; stems are compared in the composed form of Unicode, whatever the disk or the archive that
            they came from prefers.
        stems: Of the files.
        shared: What all stems end with.
    """

    files: tuple[Path, ...] = ()
    stems: tuple[str, ...] = ()
    shared: str = field(default="")

    def named(self, stem: str) -> list[Path]:
        """Files of exactly this stem."""
        return [file for file, rest in self._beginning(stem) if not rest]

    def by_scale(self, stem: str, scale: str) -> list[Path]:
        """Files `<stem><scale>...`, where no digit of another scale and no second factor of a pair follows."""
        digits = re.escape(scale)
        rest = re.compile(rf"[ _.-]?(?:[xX]{digits}|{digits}[xX])(?![0-9.]*[0-9]|[xX][0-9]).*", re.DOTALL)
        return [file for file, ending in self._beginning(stem) if rest.fullmatch(ending)]

    def by_ending(self, stem: str) -> list[Path]:
        """Files `<stem><ending>` whose ending is a word that the whole folder shares, so `img_2` is not `img`."""
        word = re.compile(r"[ _.-](?![xX]?\d)[^\W\d_].*", re.DOTALL)
        return [
            file for file, ending in self._beginning(stem) if word.fullmatch(ending) and self.shared.endswith(ending)
        ]

    def _beginning(self, stem: str) -> list[tuple[Path, str]]:
        """(file, what follows) of the files whose stems begin so: they lie together in the order of stems."""
        found = []
        for index in range(bisect_left(self.stems, stem), len(self.stems)):
            if not self.stems[index].startswith(stem):
                break
            found.append((self.files[index], self.stems[index][len(stem) :]))
        return found


def _images(folder: Path) -> _Images:
    """The images of a folder; of one that does not change, listed once."""
    try:
        info = folder.stat()
    except OSError:
        return _Images()
    if not is_settled((info.st_mtime_ns, info.st_ctime_ns, 0, 0)):
        return _listed(folder)
    return _remembered(folder, info.st_mtime_ns, info.st_ino)


@lru_cache(maxsize=64)
def _remembered(folder: Path, changed: int, inode: int) -> _Images:
    return _listed(folder)


def _listed(folder: Path) -> _Images:
    if not folder.is_dir():
        return _Images()
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_image_name(entry.name) and not entry.is_dir()]
    stems = sorted((normalize("NFC", Path(name).stem), name) for name in names)
    shared = ""
    if stems:
        first, last = min(turned := [stem[::-1] for stem, _ in stems]), max(turned)
        length = min(len(first), len(last))
        common = next((i for i in range(length) if first[i] != last[i]), length)
        shared = first[:common][::-1]
    return _Images(tuple(folder / name for _, name in stems), tuple(stem for stem, _ in stems), shared)


def _listing(images: _Images) -> str:
    if not images.files:
        return "there are no images in that folder"
    names = ", ".join(file.name for file in images.files[:4])
    return f"it holds {len(images.files)} images: {names}{', …' if len(images.files) > 4 else ''}"
