"""The LR images and sizes that methods are tried on: crops of one photograph, small, odd, thin, at any ratio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bench.api import Scale, Size, sr_size
from bench.data.embedded import sample_folder
from bench.imaging import imresize, read_image

if TYPE_CHECKING:
    import torch

Kind = Literal["photo", "gray", "quarters", "overshoot", "black", "white"]


@dataclass(frozen=True)
class Case:
    """One image that a method is asked for.

    Attributes:
        group: The check that it is for.
        lr: LR (height, width).
        size: SR (height, width).
        scale: The nominal scale that `begin` is told.
        kind: What the LR image shows.
        quick: Part of `--quick` too.
    """

    group: str
    lr: Size
    size: Size
    scale: Scale
    kind: Kind = "photo"
    quick: bool = True

    @property
    def image(self) -> str:
        """An image id that no other case has: all of what `begin` tells."""
        return f"{self.kind}-{self.lr[0]}x{self.lr[1]}-{self.size[0]}x{self.size[1]}"

    @property
    def label(self) -> str:
        """The case in a message."""
        (h, w), (height, width) = self.lr, self.size
        return f"LR {h} x {w} to {height} x {width} (height x width)"

    def pixels(self) -> NDArray[np.float32]:
        """The LR image, float32 (h, w, 3); in [0, 1] but for `overshoot`."""
        return lr_pixels(self.kind, self.lr)

    def tensor(self) -> torch.Tensor:
        """The LR image as a method gets it: float32 (3, h, w), a new one every time."""
        import torch

        return torch.from_numpy(self.pixels().transpose(2, 0, 1).copy())


def _at(group: str, lr: Size, scale: Scale, kind: Kind = "photo", *, quick: bool = True) -> Case:
    return Case(group, lr, sr_size(lr, scale), scale, kind, quick)


FIRST = _at("first", (12, 16), 2)
OTHER = _at("other", (15, 11), 3)
TILED = (_at("tiled", (41, 52), 2), _at("tiled", (41, 52), 2.5, quick=False))
GRAY = _at("gray", (12, 16), 2, "gray")
OVERSHOOT = _at("overshoot", (12, 16), 2, "overshoot")
FLAT = (_at("flat", (12, 16), 2, "black"), _at("flat", (12, 16), 2, "white"))
SIDES = (
    _at("sides", (1, 1), 2),
    _at("sides", (1, 8), 2, quick=False),
    _at("sides", (8, 1), 2, quick=False),
    _at("sides", (2, 3), 2, quick=False),
    _at("sides", (3, 2), 4, quick=False),
    _at("sides", (5, 7), 2),
    _at("sides", (7, 5), 3, quick=False),
    _at("sides", (8, 8), 4, quick=False),
    _at("sides", (17, 9), 2, quick=False),
)
AXES = (
    Case("axes", (12, 14), (24, 49), 3.5, "quarters"),
    Case("axes", (14, 12), (42, 13), 3.0, "quarters", quick=False),
)
FRACTIONS = tuple(_at("fractions", (10, 13), scale, quick=scale == 3.6) for scale in (1.1, 2.5, 3.6))
LARGE = tuple(_at("large", (5, 6), scale, quick=scale == 8) for scale in (8, 12, 30))
CASES = (FIRST, OTHER, *TILED, GRAY, OVERSHOOT, *FLAT, *SIDES, *AXES, *FRACTIONS, *LARGE)
"""Every image that the battery may ask for; a method that looks results up needs a file for each."""


def lr_pixels(kind: Kind, size: Size) -> NDArray[np.float32]:
    """An LR image.

    Args:
        kind: photo: 8-bit levels of a photograph; gray: its mean in all channels; quarters: four flat fields that meet
            in the middle; overshoot: the photograph stretched beyond [0, 1] by a few levels, as float LR is.
        size: (height, width).
    Returns:
        float32 (h, w, 3).
    """
    if kind in ("black", "white"):
        return np.full((*size, 3), kind == "white", np.float32)
    if kind == "quarters":
        right, low = (np.arange(n) >= n / 2 for n in (size[1], size[0]))
        plane = 0.2 + 0.3 * right[None, :] + 0.3 * low[:, None]
        return np.repeat(plane[..., None], 3, axis=2).astype(np.float32)
    photo = (np.clip(np.rint(imresize(_photo(), size)), 0, 255) / 255).astype(np.float32)
    if kind == "gray":
        return np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2)
    if kind == "overshoot":
        low, high = photo.min(), max(photo.max(), photo.min() + 1 / 255)
        return ((photo - low) / (high - low) * 1.08 - 0.04).astype(np.float32)
    return photo


@lru_cache(maxsize=1)
def _photo() -> NDArray[np.uint8]:
    """A colourful part of a photograph of the sample set."""
    return read_image(sample_folder() / "astronaut.png").pixels[:256, 128:384]
