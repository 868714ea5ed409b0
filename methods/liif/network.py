"""LIIF: EDSR features decoded at continuous coordinates.

Source: Chen, Liu, Wang, "Learning Continuous Image Representation with Local Implicit Image Function" (CVPR 2021,
arXiv 2012.09161). Images are normalised to [-1, 1] inside: (x - 0.5) / 0.5.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.arbsr import DEFAULT_CHUNK, bilinear_at
from methods.blocks.coordinates import Size, cell_of
from methods.blocks.edsr import EDSRBody
from methods.blocks.query import ContinuousDecoder
from methods.blocks.render import in_windows
from methods.liif.architecture import LiifArchitecture


class LIIFNetwork(nn.Module):
    """Arbitrary-scale network on images in [-1, 1]."""

    def __init__(self, architecture: LiifArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else LiifArchitecture()
        self.encoder = EDSRBody(blocks=arch.blocks, width=arch.width)
        self.decoder = ContinuousDecoder(
            arch.width,
            arch.hidden,
            unfold=arch.unfold,
            cell_decode=arch.cell_decode,
            local_ensemble=arch.local_ensemble,
        )

    def forward(self, lr: torch.Tensor, coord: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        """Colours at sampled coordinates, as in training.

        Args:
            lr: (B, 3, h, w) in [-1, 1].
            coord: (B, Q, 2) float64, (y, x) pixel centres in [-1, 1].
            cell: (B, 2) float64, 2 / (H, W).
        Returns:
            (B, Q, 3), nominally in [-1, 1].
        """
        projected = self.decoder.project(self.encoder(lr))
        colours = self.decoder.query(projected, (lr.shape[-2], lr.shape[-1]), coord, cell)
        return colours if self.architecture.skip == "none" else colours + bilinear_at(lr, coord)

    def upsample(
        self,
        lr: torch.Tensor,
        size: Size,
        *,
        chunk: int = DEFAULT_CHUNK,
        cell: torch.Tensor | None = None,
        tile: int | None = None,
    ) -> torch.Tensor:
        """The whole image.

        Args:
            lr: (B, 3, h, w) in [-1, 1].
            size: (H, W) of the result.
            chunk: Queries per pass; bounds the memory.
            cell: Instead of 2 / size, (2,) or (B, 2).
            tile: Side of the LR windows that features are computed on; None: all at once. The result is the same.
        Returns:
            (B, 3, H, W), nominally in [-1, 1], not clipped.
        """
        lr_size = (lr.shape[-2], lr.shape[-1])
        cells = (cell_of(size, device=lr.device) if cell is None else cell).expand(lr.shape[0], 2)
        image = in_windows(
            lr,
            size,
            lambda crop: self.decoder.project(self.encoder(crop)),
            lambda table, coord, window: self.decoder.query(table, lr_size, coord, cells, window=window),
            tile=tile,
            reach=self.encoder.reach + self.decoder.reach,
            chunk=chunk,
        )
        if self.architecture.skip == "bilinear":
            image += functional.interpolate(lr, size, mode="bilinear", align_corners=False)
        return image
