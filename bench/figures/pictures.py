"""Pixels on paper: every pixel a square of whole dots where there is room, an average over areas where there is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bench.api import RequestError, Size
from bench.figures.page import Page
from bench.imaging.io import rounded_to_8bit

U8 = NDArray[np.uint8]

DOTS = 300
"""Dots per inch of a written figure (`bench.figures.files.save_figure`)."""


@dataclass(frozen=True)
class Box:
    """A part of an image, in its pixels.

    Attributes:
        x, y: The left and the upper side.
        width, height: At least 1.
    """

    x: int
    y: int
    width: int
    height: int

    @staticmethod
    def parse(text: str) -> Box:
        """Read "x,y,w,h".

        Raises:
            RequestError: something else.
        """
        try:
            x, y, width, height = (int(part) for part in text.split(","))
        except ValueError:
            raise RequestError(f"--box {text}: expected x,y,w,h in pixels, such as --box 120,80,64,64") from None
        if min(x, y) < 0 or min(width, height) < 1:
            raise RequestError(f"--box {text}: x and y are at least 0, w and h at least 1")
        return Box(x, y, width, height)

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    def within(self, size: Size) -> bool:
        """Whether it lies in an image of this (height, width)."""
        return self.x + self.width <= size[1] and self.y + self.height <= size[0]

    def scaled(self, before: Size, after: Size) -> Box:
        """The same part of the same view in other pixels: from an image of one (height, width) to one of another."""
        down, across = after[0] / before[0], after[1] / before[1]
        left, top = round(self.x * across), round(self.y * down)
        width = max(1, round((self.x + self.width) * across) - left)
        height = max(1, round((self.y + self.height) * down) - top)
        return Box(min(left, after[1] - 1), min(top, after[0] - 1), width, height)

    def of(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The part of an image (H, W) or (H, W, C)."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


def as_shown(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> U8:
    """An image (H, W) or (H, W, 3) of 8 or 16 bits as 8-bit RGB."""
    values = rounded_to_8bit(pixels)
    return np.asarray(values if values.ndim == 3 else np.repeat(values[:, :, None], 3, axis=2), np.uint8)


def enlarged_lr(lr: NDArray[np.float32], size: Size) -> U8:
    """An LR image (h, w, 3) in [0, 1] at the size of its SR image, each pixel repeated: nothing is interpolated."""
    levels = np.floor(np.clip(lr, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return repeated(levels, size)


def repeated(pixels: U8, size: Size) -> U8:
    """An image at a larger (height, width), each pixel repeated as evenly as that goes."""
    rows = np.arange(size[0]) * pixels.shape[0] // size[0]
    columns = np.arange(size[1]) * pixels.shape[1] // size[1]
    return pixels[rows][:, columns]


def fitted(pixels: U8, across: int, down: int | None = None) -> U8:
    """An image in the dots of a place.

    Args:
        pixels: (H, W, 3).
        across, down: Dots that there are; no bound below where `down` is None.
    Returns:
        Each pixel repeated as often as fits, the same along both axes; where not even one dot is there for a pixel,
        averages over areas.
    """
    height, width = pixels.shape[:2]
    times = across / width if down is None else min(across / width, down / height)
    if times >= 1:
        return np.repeat(np.repeat(pixels, int(times), axis=0), int(times), axis=1)
    size = (max(1, round(width * times)), max(1, round(height * times)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def put(page: Page, left: int, up: int, dots: U8) -> Axes:
    """Put an image on a page, a dot per pixel, without a frame.

    Args:
        page: Its width and height are whole numbers of dots.
        left, up: Dots from the page's top left corner.
        dots: What `fitted` gave.
    """
    height, width = dots.shape[:2]
    axes = page.axes(left / DOTS, up / DOTS, width / DOTS, height / DOTS)
    axes.set_axis_off()
    axes.imshow(dots, interpolation="none", aspect="auto")
    return axes
