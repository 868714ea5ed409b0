"""The local ensemble of the continuous decoders: look up the LR pixels around each query and blend what they say.

Source: LIIF, section 3 (Chen, Liu, Wang, CVPR 2021). On a CPU without gradients a decoder is shown so few rows at a
time that all its layers stay in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from methods.blocks.coordinates import Ensemble, Size, Window, neighbours, within

_CACHED_ROWS = 512
"""Rows of a few hundred values that a CPU's second-level cache holds twice; 8192 take a fifth longer."""


def blend(
    table: torch.Tensor,
    lr_size: Size,
    coord: torch.Tensor,
    colour: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    *,
    ensemble: Ensemble,
    window: Window | None = None,
) -> torch.Tensor:
    """The weighted sum over the neighbours of each query.

    Args:
        table: (B, h * w, C), a row per LR pixel of the whole image or of a window of it.
        lr_size: (h, w) of the whole image.
        coord: (B, Q, 2) float64, (y, x) in [-1, 1] over the whole image.
        colour: (rows (B, Q, C), query minus LR centre (B, Q, 2) as in `Neighbour.relative`) -> (B, Q, outputs).
        ensemble: Which neighbours, and their weights.
        window: The part of the image that the table covers; it must hold every neighbour. None: all of it.
    Returns:
        (B, Q, outputs).
    """
    batch, count, columns = table.shape
    rows = table.reshape(-1, columns)
    offset = torch.arange(batch, device=coord.device)[:, None] * count
    cached = table.device.type == "cpu" and not torch.is_grad_enabled()
    step = max(_CACHED_ROWS // batch, 1) if cached else coord.shape[1]
    total: torch.Tensor | None = None
    for found in neighbours(coord, lr_size, ensemble=ensemble):
        index = found.index if window is None else within(found.index, lr_size, window)
        blocks = (each.split(step, dim=1) for each in (index + offset, found.relative.to(table.dtype)))
        part = [colour(functional.embedding(where, rows), relative) for where, relative in zip(*blocks, strict=True)]
        weighted = torch.cat(part, dim=1) * found.weight.to(table.dtype)[..., None]
        total = weighted if total is None else total + weighted
    if total is None:
        raise RuntimeError("a query has at least one neighbour")
    return total
