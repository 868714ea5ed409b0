"""EDSR features, a continuous decoder, and the interpolated image added to it: LTE, and its relatives by two switches.

Source: LTE (Lee and Jin, CVPR 2022). The blind arbitrary-scale paper (section 3.3) multiplies gains onto the residual
branches; without gains this is LTE itself. Images are normalised to [-1, 1] inside: (x - 0.5) / 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

from methods.blocks.coordinates import Ensemble, Size, Window, cell_of, make_coord
from methods.blocks.edsr import EDSRBody
from methods.blocks.fourier import FourierDecoder
from methods.blocks.query import ContinuousDecoder
from methods.blocks.render import in_windows

DEFAULT_CHUNK = 8192
"""Queries per pass: few enough for the processor's cache; four times as many take twice as long."""


class ArbSRArchitecture(BaseModel):
    """The network's shape; the defaults are the paper's (EDSR-baseline with LTE, 1.71 M parameters)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocks: int = Field(default=16, ge=0)
    """Residual blocks of the EDSR encoder."""
    width: int = Field(default=64, ge=1)
    """Feature channels."""
    inr: Literal["lte", "liif"] = "lte"
    """The decoder: LTE's Fourier one, or LIIF's (feature unfolding, cell decoding)."""
    hidden: int = Field(default=256, ge=2)
    """Coefficients of LTE per pixel, and the width of the MLP."""
    layers: int = Field(default=3, ge=1)
    """Hidden layers of the MLP."""
    ensemble: Ensemble = "axis"
    """How neighbours are weighted. [inferred] "axis"; "area" is LTE's own arithmetic, which mixes in a wrong neighbour
    in the last row and column at scale 1."""


@dataclass(frozen=True)
class Prepared:
    """What a query needs of an image.

    Attributes:
        image: (B, 3, h, w) in [-1, 1].
        table: The decoder's rows, (B, h * w, C).
    """

    image: torch.Tensor
    table: torch.Tensor

    @property
    def lr_size(self) -> Size:
        """(h, w)."""
        return self.image.shape[-2], self.image.shape[-1]


class ArbSR(nn.Module):
    """Arbitrary-scale network on images in [-1, 1]."""

    def __init__(self, architecture: ArbSRArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else ArbSRArchitecture()
        self.encoder = EDSRBody(blocks=arch.blocks, width=arch.width)
        self.decoder: FourierDecoder | ContinuousDecoder
        if arch.inr == "lte":
            self.decoder = FourierDecoder(arch.width, arch.hidden, arch.layers, ensemble=arch.ensemble)
        else:
            self.decoder = ContinuousDecoder(arch.width, (arch.hidden,) * arch.layers)

    def prepare(self, lr: torch.Tensor, gains: Sequence[torch.Tensor] | None = None) -> Prepared:
        """Everything that does not depend on the query.

        Args:
            lr: (B, 3, h, w) in [-1, 1].
            gains: One (B, width) per residual block, or None.
        """
        return Prepared(lr, self.decoder.project(self.encoder(lr, gains)))

    def query(self, prepared: Prepared, coord: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        """Colours at coordinates.

        Args:
            prepared: What `prepare` returned.
            coord: (B, Q, 2) float64, (y, x) pixel centres in [-1, 1].
            cell: (B, 2) float64, 2 / (H, W).
        Returns:
            (B, Q, 3), nominally in [-1, 1].
        """
        colours = self.decoder.query(prepared.table, prepared.lr_size, coord, cell)
        return colours + bilinear_at(prepared.image, coord)

    def at_scale_one(self, prepared: Prepared) -> torch.Tensor:
        """The image at scale 1: the query at every LR pixel's centre with the cell of an LR pixel.

        Returns:
            (B, 3, h, w), nominally in [-1, 1].
        """
        size = prepared.lr_size
        cell = cell_of(size, device=prepared.image.device).expand(prepared.image.shape[0], 2)
        if self.architecture.ensemble == "area":
            coord = make_coord(size, device=prepared.image.device).expand(prepared.image.shape[0], -1, -1)
            colours = self.query(prepared, coord, cell)
            return colours.transpose(1, 2).unflatten(2, size)
        colours = self.decoder.at_centres(prepared.table, size, cell)
        return colours.transpose(1, 2).unflatten(2, size) + prepared.image

    def forward(
        self, lr: torch.Tensor, coord: torch.Tensor, cell: torch.Tensor, gains: Sequence[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """`prepare`, then `query`."""
        return self.query(self.prepare(lr, gains), coord, cell)

    def upsample(
        self,
        lr: torch.Tensor,
        size: Size,
        *,
        gains: Sequence[torch.Tensor] | None = None,
        chunk: int = DEFAULT_CHUNK,
        cell: torch.Tensor | None = None,
        tile: int | None = None,
    ) -> torch.Tensor:
        """The whole image.

        Args:
            lr: (B, 3, h, w) in [-1, 1].
            size: (H, W) of the result; the ratio may be fractional and differ per axis.
            gains: As in `prepare`.
            chunk: Queries per pass; bounds the memory.
            cell: Instead of 2 / size, (2,) or (B, 2).
            tile: Side of the LR windows that features are computed on; None: all at once. The result is the same.
        Returns:
            (B, 3, H, W), nominally in [-1, 1], not clipped.
        """
        lr_size = (lr.shape[-2], lr.shape[-1])
        cells = (cell_of(size, device=lr.device) if cell is None else cell).expand(lr.shape[0], 2)

        def colours(table: torch.Tensor, coord: torch.Tensor, window: Window) -> torch.Tensor:
            return self.decoder.query(table, lr_size, coord, cells, window=window) + bilinear_at(lr, coord)

        return in_windows(
            lr,
            size,
            lambda crop: self.decoder.project(self.encoder(crop, gains)),
            colours,
            tile=tile,
            reach=self.encoder.reach + self.decoder.reach,
            chunk=chunk,
        )


def bilinear_at(lr: torch.Tensor, coord: torch.Tensor) -> torch.Tensor:
    """The bilinearly interpolated image at coordinates; the border pixels reach to the edge.

    Args:
        lr: (B, C, h, w).
        coord: (B, Q, 2), (y, x) in [-1, 1].
    Returns:
        (B, Q, C).
    """
    grid = coord.flip(-1).to(lr.dtype)[:, :, None, :]
    sampled = functional.grid_sample(lr, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled[..., 0].transpose(1, 2)
