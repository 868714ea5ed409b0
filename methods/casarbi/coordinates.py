"""Coordinate maps and their Fourier features.

Source: CasArbi, sections IV-B and V-A2. [inferred] Octaves instead of random frequencies, so that weights do not depend
on a generator.
"""

from __future__ import annotations

import torch
from torch import nn

from bench.api import Size
from methods.blocks.edsr import conv3


def coord_map(
    size: Size,
    *,
    rows: tuple[int, int] | None = None,
    columns: tuple[int, int] | None = None,
    device: torch.device | None = None,
) -> torch.Tensor:
    """Pixel centres of an image on [-1, 1], as (y, x) channels.

    Args:
        size: (H, W) of what spans [-1, 1].
        rows, columns: The part wanted, [first, last + 1); beyond the image coordinates go on linearly. None: all.
        device: Where to put it.
    Returns:
        (1, 2, rows, columns), float32.
    """
    spans = (rows or (0, size[0]), columns or (0, size[1]))
    axes = [
        -1 + (2 * torch.arange(*span, dtype=torch.float64, device=device) + 1) / length
        for span, length in zip(spans, size, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None].float()


class CoordinateEncoder(nn.Module):
    """E_c: sines and cosines of the octaves 2^l pi c, the coordinates themselves, and two convolutions."""

    def __init__(self, octaves: int, width: int) -> None:
        super().__init__()
        self.octaves = octaves
        self.layers = nn.Sequential(conv3(4 * octaves + 2, width), nn.SiLU(), conv3(width, width))

    def forward(self, coord: torch.Tensor) -> torch.Tensor:
        """Args: coord: (B, 2, H, W); returns (B, width, H, W)."""
        octave = torch.pi * 2 ** torch.arange(self.octaves, device=coord.device, dtype=coord.dtype)
        angles = (coord[:, :, None] * octave[:, None, None]).flatten(1, 2)
        return self.layers(torch.cat((coord, angles.sin(), angles.cos()), dim=1))
