"""HR crops and their LR, drawn as a pure function of a generator, so that any step can be drawn again on its own.

LR is the antialiased bicubic reduction of the crop to 8 bit by Pillow (a = -0.5), as LIIF trains; away from the border
it equals MATLAB's, which the benchmarks use.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.api import RequestError, derive_seed
from bench.training.config import PatchConfig
from bench.training.images import ImagePool


@dataclass(frozen=True)
class Patch:
    """lr: uint8 (p, p, 3); hr: uint8 (P, P, 3) with P = round(p * scale)."""

    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]


def step_generator(seed: int, step: int) -> np.random.Generator:
    """The generator of one training step; steps are independent, so a resumed run draws what the whole run draws."""
    return np.random.default_rng(derive_seed(seed, "train-step", step))


def draw_patch(
    pool: ImagePool,
    config: PatchConfig,
    rng: np.random.Generator,
    *,
    scale: float | None = None,
    side: int | None = None,
) -> Patch:
    """Draw an image, a scale, a place and an orientation.

    Args:
        pool: The images, drawn uniformly.
        config: Patch side and the range of scales; a small image lowers the largest scale to what fits.
        rng: The step's generator.
        scale: This scale instead of a drawn one.
        side: This LR side instead of `config.lr_patch`.
    Returns:
        The pair.
    Raises:
        RequestError: no scale fits the drawn image.
    """
    lr_side = config.lr_patch if side is None else side
    image, hr_side = draw_image(pool, config, rng, scale=scale, side=lr_side)
    hr = draw_crop(image, hr_side, rng, augment=config.augment)
    return Patch(lr=reduce_bicubic(hr, (lr_side, lr_side)), hr=hr)


def draw_image(
    pool: ImagePool, config: PatchConfig, rng: np.random.Generator, *, scale: float | None, side: int
) -> tuple[NDArray[np.uint8], int]:
    """Draw an image and a scale; a small image lowers the largest scale to what fits.

    Args:
        pool, config, rng, scale: As in `draw_patch`.
        side: Of the LR patch.
    Returns:
        The image and the side of an HR crop.
    Raises:
        RequestError: no scale fits the drawn image.
    """
    which = int(rng.integers(len(pool.images)))
    image = pool.images[which]
    room = min(image.shape[:2])
    wanted = rng.uniform(config.scale_min, config.scale_max) if scale is None else scale
    hr_side = min(round(side * wanted), room)
    if hr_side < side:
        raise RequestError(f"{pool.names[which]} is {room} px: smaller than the LR patch of {side} px")
    return image, hr_side


def draw_crop(
    image: NDArray[np.uint8], side: int, rng: np.random.Generator, *, augment: bool, upright: bool = False
) -> NDArray[np.uint8]:
    """Draw a place and, with `augment`, an orientation (see `draw_orientation`); (side, side, 3) uint8, contiguous."""
    top, left = (int(rng.integers(length - side + 1)) for length in image.shape[:2])
    hr = image[top : top + side, left : left + side]
    return np.ascontiguousarray(draw_orientation(hr, rng, upright=upright) if augment else hr)


def draw_orientation(image: NDArray[np.uint8], rng: np.random.Generator, *, upright: bool = False) -> NDArray[np.uint8]:
    """Both flips and the transposition, each with probability one half; upright: left and right alone. A view."""
    flips = rng.random(3) < 0.5
    image = image[::-1] if flips[0] and not upright else image
    image = image[:, ::-1] if flips[1] else image
    return image.transpose(1, 0, 2) if flips[2] and not upright else image


def reduce_bicubic(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Pillow's antialiased bicubic; uint8 (H, W, 3) -> uint8 (height, width, 3)."""
    if image.shape[:2] == size:
        return image
    return np.array(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))
