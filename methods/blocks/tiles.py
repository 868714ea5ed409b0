"""Tiles of one image: where they lie, how their latents are merged (MultiDiffusion), and decoding in tiles.

Source: CASR's tiles of 512 with an overlap of 64; MultiDiffusion (Bar-Tal et al. 2023) weights all tiles alike,
mixture-of-diffusers (Jimenez 2023) by a Gaussian around the tile's middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from bench.api import Size
from bench.imaging.tiling import tiled

Span = tuple[int, int]
"""[first, last + 1)."""
Weights = Literal["none", "gauss"]
_VARIANCE = 0.01
"""Of the Gaussian, in units of the tile's squared side."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image or of its latent."""

    rows: Span
    columns: Span

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    def of(self, image: torch.Tensor) -> torch.Tensor:
        """This part of (..., H, W), as a view."""
        return image[..., slice(*self.rows), slice(*self.columns)]

    def reduced(self, factor: int) -> Tile:
        """The same part of a latent that is `factor` times smaller.

        Raises:
            ValueError: the tile does not lie on whole latent pixels.
        """
        if any(side % factor for side in (*self.rows, *self.columns)):
            raise ValueError(f"tile {self.rows} x {self.columns} does not lie on latent pixels of {factor}")
        (top, bottom), (left, right) = self.rows, self.columns
        return Tile((top // factor, bottom // factor), (left // factor, right // factor))


def grid(size: Size, *, tile: int, overlap: int) -> list[Tile]:
    """Cover an image, row by row.

    Args:
        size: (H, W).
        tile: Longest side, at least twice the overlap.
        overlap: Of neighbours; the last tile of an axis is flush with the border and may overlap more.
    Returns:
        Tiles of equal size; one where the image fits.
    Raises:
        ValueError: a tile shorter than twice the overlap, or below 2.
    """
    if tile < max(2 * overlap, 2) or overlap < 0:
        raise ValueError(f"expected a tile of at least twice the overlap and of 2 pixels, got {tile} and {overlap}")
    rows, columns = (_spans(length, tile, overlap) for length in size)
    return [Tile(row, column) for row in rows for column in columns]


def merge(
    parts: Iterable[torch.Tensor], tiles: Sequence[Tile], size: Size, *, weights: Weights = "none"
) -> torch.Tensor:
    """The weighted mean of everything that tiles say of a pixel.

    Args:
        parts: (B, C, h_i, w_i), one per tile; taken one by one, so that a generator needs no memory for all.
        tiles: Where they lie; a single one is returned as it is.
        size: (H, W) of the whole.
        weights: none: all alike; gauss: by the distance from the tile's middle.
    Returns:
        (B, C, H, W) of the parts' type; sums are float32. Gradients flow.
    Raises:
        ValueError: a part of another size than its tile, too few or many parts, or a pixel that no tile covers.
    """
    total, weight = None, torch.zeros(size)
    first: torch.Tensor | None = None
    for part, tile in zip(parts, tiles, strict=True):
        if tuple(part.shape[-2:]) != tile.size:
            raise ValueError(f"expected a part of {tile.size}, got {tuple(part.shape[-2:])}")
        if len(tiles) == 1 and tile.size == size:
            return part
        if total is None or first is None:
            first, total = part, part.new_zeros((*part.shape[:-2], *size), dtype=torch.float32)
        own = _weights(tile.size, weights)
        tile.of(weight).add_(own)
        tile.of(total).add_(part.float() * own.to(part.device))
    if total is None or first is None or not bool((weight > 0).all()):
        raise ValueError(f"the tiles do not cover {size[0]} x {size[1]}")
    return (total / weight.to(total.device)).to(first.dtype)


def decode_tiled(
    decode: Callable[[torch.Tensor], torch.Tensor], z: torch.Tensor, *, factor: int, tile: int = 64, overlap: int = 8
) -> torch.Tensor:
    """Decode a latent in feathered tiles; whole where it fits one. [inferred: the paper says nothing of it]

    Args:
        decode: (1, C, h, w) -> (1, 3, h * factor, w * factor).
        z: (B, C, h, w).
        factor: Image pixels per latent pixel.
        tile: Longest side of a tile in latent pixels.
        overlap: In latent pixels; the middle half is feathered linearly.
    Returns:
        (B, 3, h * factor, w * factor).
    """
    if max(z.shape[-2:]) <= tile:
        return decode(z)
    size = z.shape[-2] * factor, z.shape[-1] * factor
    images = [
        tiled(lambda part, _: decode(part[None])[0], each, size, tile=tile, overlap=overlap) for each in z.unbind()
    ]
    return torch.stack(images)


def _spans(length: int, tile: int, overlap: int) -> list[Span]:
    if length <= tile:
        return [(0, length)]
    last = length - tile
    return [(first, first + tile) for first in (*range(0, last, tile - overlap), last)]


def _weights(size: Size, kind: Weights) -> torch.Tensor:
    if kind == "none":
        return torch.ones(size)
    rows, columns = (_gauss(length) for length in size)
    return rows[:, None] * columns


def _gauss(length: int) -> torch.Tensor:
    """exp(-(d / length)^2 / (2 var)), d from the middle: 4e-6 at the border, so that products stay above 0."""
    off = (torch.arange(length, dtype=torch.float32) - (length - 1) / 2) / length
    return torch.exp(-(off**2) / (2 * _VARIANCE)) / math.sqrt(2 * math.pi * _VARIANCE)
