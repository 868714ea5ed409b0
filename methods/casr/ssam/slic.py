"""Superpixels by k-means in which a pixel may only join its cell or one of the eight around it; needs no weights.

Source: SLIC (Achanta et al. 2012) with gSLIC's fixed neighbourhood (Ren et al. 2015).
"""

from __future__ import annotations

import torch

from methods.casr.ssam.assignment import NEIGHBOURS, grid_size, masked, parents, region_means
from methods.casr.ssam.lab import rgb_to_lab


def slic(image: torch.Tensor, n: int, *, iterations: int = 10, compactness: float = 10.0) -> torch.Tensor:
    """Assign pixels to cells.

    Args:
        image: (B, 3, h, w) in [0, 1].
        n: Side of a cell.
        iterations: Rounds of k-means.
        compactness: m: a distance of n pixels counts as much as m units of CIELAB.
    Returns:
        (B, 9, h, w): 1 for the neighbour that a pixel belongs to, else 0; as probabilities of a network would be.
    """
    size = (image.shape[-2], image.shape[-1])
    features = torch.cat((rgb_to_lab(image), positions(image) * (compactness / n)), dim=1)
    choice = torch.full_like(image[:, :1], 4, dtype=torch.long)
    rows, columns = (parents(length, length, n, image.device) for length in size)
    last_row, last_column = grid_size(size, n)
    for _ in range(iterations):
        means = region_means(features, choice, n)
        away = []
        for down, across in NEIGHBOURS:
            row, column = (rows + down).clamp(0, last_row - 1), (columns + across).clamp(0, last_column - 1)
            centre = means.index_select(2, row).index_select(3, column)
            away.append(((features - centre) ** 2).sum(1))
        new = masked(-torch.stack(away, dim=1), n, -torch.inf).argmax(dim=1, keepdim=True)
        if torch.equal(new, choice):
            break
        choice = new
    return torch.zeros_like(image[:, :1]).expand(-1, 9, -1, -1).scatter(1, choice, 1.0)


def positions(image: torch.Tensor) -> torch.Tensor:
    """(B, 2, h, w): row and column of every pixel."""
    grid = torch.meshgrid(
        *(torch.arange(length, dtype=image.dtype, device=image.device) for length in image.shape[-2:]), indexing="ij"
    )
    return torch.stack(grid).expand(image.shape[0], -1, -1, -1)
