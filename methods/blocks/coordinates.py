"""Pixel-centre coordinates, cells, and the four LR neighbours that a continuous query blends.

Source: LIIF (Chen, Liu, Wang, CVPR 2021, arXiv 2012.09161), section 3. Coordinates span [-1, 1] over the image, axis
order (y, x). The local-ensemble weight of a neighbour is the area of the rectangle diagonally opposite to it, which for
a regular grid is the bilinear weight; it is computed here as such, in pixel units.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

Size = tuple[int, int]
Ensemble = Literal["axis", "area", "nearest"]
"""How the LR pixels around a query are weighted: per axis (bilinear weights), by LIIF's and LTE's ratio of opposite
areas (the same but in the last half pixel at the border, where the clamp makes all four areas vanish), or the nearest
alone."""


def pixel_centres(count: int, *, device: torch.device | None = None) -> torch.Tensor:
    """The centres of `count` pixels on [-1, 1]: -1 + (2 i + 1) / count, float64."""
    return -1 + (2 * torch.arange(count, dtype=torch.float64, device=device) + 1) / count


def make_coord(size: Size, *, device: torch.device | None = None) -> torch.Tensor:
    """The pixel centres of an image.

    Args:
        size: (height, width).
        device: Where to put them.
    Returns:
        (H * W, 2) float64, row by row, (y, x).
    """
    rows, columns = (pixel_centres(count, device=device) for count in size)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).reshape(-1, 2)


def coord_at(index: torch.Tensor, size: Size) -> torch.Tensor:
    """The pixel centres of flat (row-major) positions, without making the whole grid.

    Args:
        index: int64, any shape.
        size: (height, width) of the grid that the positions count in.
    Returns:
        index.shape + (2,), float64, (y, x).
    """
    height, width = size
    row = torch.div(index, width, rounding_mode="floor")
    column = index - row * width
    return torch.stack((-1 + (2 * row.double() + 1) / height, -1 + (2 * column.double() + 1) / width), dim=-1)


def cell_of(size: Size, *, device: torch.device | None = None) -> torch.Tensor:
    """The (height, width) of one output pixel in coordinate units: 2 / size; (2,) float64."""
    return 2 / torch.tensor(size, dtype=torch.float64, device=device)


def clipped_cell(size: Size, lr_size: Size, limit: float | None, *, device: torch.device | None = None) -> torch.Tensor:
    """The cell of `size`, or that of `limit` times the LR size on an axis that is enlarged more; (2,) float64.

    Source: LTE's evaluation, which tells the decoder a pixel no smaller than that of the largest training scale.
    """
    if limit is None:
        return cell_of(size, device=device)
    smallest = 2 / (limit * torch.tensor(lr_size, dtype=torch.float64, device=device))
    return torch.maximum(cell_of(size, device=device), smallest)


@dataclass(frozen=True)
class Window:
    """A rectangle of an LR image: its first row and column, its height and width."""

    top: int
    left: int
    height: int
    width: int


def within(index: torch.Tensor, lr_size: Size, window: Window) -> torch.Tensor:
    """Flat positions in an LR grid as flat positions in a window of it that holds them; int64, the same shape."""
    row = torch.div(index, lr_size[1], rounding_mode="floor")
    column = index - row * lr_size[1]
    return (row - window.top) * window.width + column - window.left


@dataclass(frozen=True)
class Neighbour:
    """One of the LR pixels around each query.

    Attributes:
        index: (B, Q) int64, flat position in the LR grid.
        relative: (B, Q, 2) query minus LR centre, in units of half an LR pixel (LIIF scales by the LR size).
        weight: (B, Q) of its prediction; the weights of all neighbours sum to 1.
    """

    index: torch.Tensor
    relative: torch.Tensor
    weight: torch.Tensor


def neighbours(coord: torch.Tensor, lr_size: Size, *, ensemble: Ensemble = "axis") -> list[Neighbour]:
    """The LR pixels that each query looks at.

    Args:
        coord: (B, Q, 2) float64 in [-1, 1], (y, x).
        lr_size: (h, w) of the feature map.
        ensemble: Four neighbours with weights "axis" or "area", or one ("nearest").
    Returns:
        Four neighbours (or one), geometry in float32. Neighbours beyond the border are the border pixel.
    """
    scale = coord.new_tensor(lr_size)
    position = ((coord + 1) * scale - 1) / 2
    if ensemble == "nearest":
        return [_neighbour(position, (position + 0.5).floor(), lr_size, torch.ones_like(position[..., 0]))]
    if ensemble == "area":
        return _by_area(position, lr_size)
    base = position.floor()
    fraction = position - base
    found = []
    for down in (0, 1):
        for right in (0, 1):
            step = coord.new_tensor((down, right))
            share = torch.where(step > 0, fraction, 1 - fraction)
            found.append(_neighbour(position, base + step, lr_size, share[..., 0] * share[..., 1]))
    return found


def _by_area(position: torch.Tensor, lr_size: Size) -> list[Neighbour]:
    """LTE's own arithmetic: move the query by half a pixel (plus 1e-6 of the image), clamp, look up, swap the areas."""
    scale = position.new_tensor(lr_size)
    coord = (2 * position + 1) / scale - 1
    found, areas = [], []
    for down in (-1, 1):
        for right in (-1, 1):
            moved = (coord + position.new_tensor((down, right)) / scale + 1e-6).clamp(-1 + 1e-6, 1 - 1e-6)
            corner = ((moved + 1) * scale / 2).floor()
            found.append(_neighbour(position, corner, lr_size, torch.ones_like(position[..., 0])))
            areas.append(found[-1].relative.prod(dim=-1).abs() + 1e-9)
    total = torch.stack(areas).sum(dim=0)
    return [replace(each, weight=areas[3 - index] / total) for index, each in enumerate(found)]


def _neighbour(position: torch.Tensor, corner: torch.Tensor, lr_size: Size, weight: torch.Tensor) -> Neighbour:
    height, width = lr_size
    row = corner[..., 0].clamp(0, height - 1)
    column = corner[..., 1].clamp(0, width - 1)
    relative = 2 * (position - torch.stack((row, column), dim=-1))
    return Neighbour((row * width + column).long(), relative.float(), weight.float())
