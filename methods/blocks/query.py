"""The continuous decoder: an MLP on (unfolded feature, relative coordinate, cell), blended over LR neighbours.

Source: LIIF, section 3 (feature unfolding, cell decoding, local ensemble). The first linear layer is split: its part
on the 3x3-unfolded features is a zero-padded 3x3 convolution with the same weights, so it runs once per LR pixel and
not once per query and neighbour. The result is the same up to float rounding, and the nine-fold copies never exist.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.coordinates import Size, Window
from methods.blocks.ensemble import blend
from methods.blocks.mlp import MLP


class ContinuousDecoder(nn.Module):
    """Colour at any coordinate from a feature map."""

    def __init__(
        self,
        width: int,
        hidden: Sequence[int],
        *,
        outputs: int = 3,
        unfold: bool = True,
        cell_decode: bool = True,
        local_ensemble: bool = True,
    ) -> None:
        """Args: width: feature channels; hidden: MLP widths; the three switches of LIIF's ablation."""
        super().__init__()
        self.width, self.unfold = width, unfold
        self.cell_decode, self.local_ensemble = cell_decode, local_ensemble
        self.features = width * (9 if unfold else 1)
        self.imnet = MLP(self.features + 2 + (2 if cell_decode else 0), outputs, hidden)

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """The features' part of the first layer, with its bias.

        Args:
            features: (B, width, h, w).
        Returns:
            (B, h * w, first hidden width).
        """
        side = 3 if self.unfold else 1
        first = self.imnet.first
        kernel = first.weight[:, : self.features].reshape(-1, self.width, side, side)
        return (
            functional.conv2d(features, kernel, first.bias, padding=side // 2).flatten(2).transpose(1, 2).contiguous()
        )

    @property
    def reach(self) -> int:
        """Pixels beyond a feature's own that its row of the table sees."""
        return 1 if self.unfold else 0

    def query(
        self,
        projected: torch.Tensor,
        lr_size: Size,
        coord: torch.Tensor,
        cell: torch.Tensor,
        *,
        window: Window | None = None,
    ) -> torch.Tensor:
        """Colours at coordinates.

        Args:
            projected: What `project` returned, of the whole image or of a window of it.
            lr_size: (h, w) of the whole image.
            coord: (B, Q, 2) float64, (y, x) in [-1, 1] over the whole image.
            cell: (B, 2) float64, height and width of an output pixel in coordinate units.
            window: The part of the image that the table covers; it must hold every neighbour. None: all of it.
        Returns:
            (B, Q, outputs).
        """
        # the rest of the first layer: relative coordinate and cell, in one product with the sum
        weights = self.imnet.first.weight[:, self.features :].t().expand(len(cell), -1, -1)
        pixel = (cell * cell.new_tensor(lr_size)).to(projected.dtype)[:, None, :]

        def colour(rows: torch.Tensor, relative: torch.Tensor) -> torch.Tensor:
            seen = torch.cat((relative, pixel.expand_as(relative)), dim=-1) if self.cell_decode else relative
            return self.imnet.rest(torch.baddbmm(rows, seen, weights))

        ensemble = "axis" if self.local_ensemble else "nearest"
        return blend(projected, lr_size, coord, colour, ensemble=ensemble, window=window)

    def at_centres(self, projected: torch.Tensor, lr_size: Size, cell: torch.Tensor) -> torch.Tensor:
        """Colours at the LR pixels' own centres, row by row: what `query` gives there, at a quarter of the work.

        Args:
            projected: What `project` returned, of the whole image.
            lr_size: (h, w) of the image.
            cell: As in `query`.
        Returns:
            (B, h * w, outputs).
        """
        return self.imnet.rest(projected + self._cell_part(lr_size, cell, projected.dtype))

    def _cell_part(self, lr_size: Size, cell: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | float:
        """What the first layer adds for the cell; (B, 1, first hidden width), or 0 without cell decoding."""
        if not self.cell_decode:
            return 0.0
        weights = self.imnet.first.weight[:, self.features + 2 :]
        return functional.linear((cell * cell.new_tensor(lr_size)).to(dtype), weights)[:, None, :]
