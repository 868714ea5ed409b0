"""The continuous decoder: an MLP on (unfolded feature, relative coordinate, cell), blended over LR neighbours.

Source: LIIF, section 3 (feature unfolding, cell decoding, local ensemble). The first linear layer is split: its part
on the 3x3-unfolded features is a zero-padded 3x3 convolution with the same weights, so it runs once per LR pixel and
not once per query and neighbour. The result is the same up to float rounding, and the nine-fold copies never exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.coordinates import Size, cell_of, coord_at, neighbours


class MLP(nn.Module):
    """Linear layers with ReLU between them; parameters are named as in the published LIIF checkpoints."""

    def __init__(self, inputs: int, outputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        last = inputs
        for width in hidden:
            layers += [nn.Linear(last, width), nn.ReLU(inplace=True)]
            last = width
        self.layers = nn.Sequential(*layers, nn.Linear(last, outputs))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Args: values: (..., inputs); returns (..., outputs)."""
        return self.layers(values)

    @property
    def first(self) -> nn.Linear:
        """The layer that sees the features, the coordinate and the cell."""
        layer = self.layers[0]
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"the first layer must be linear, got {type(layer).__name__}")
        return layer

    def rest(self, values: torch.Tensor) -> torch.Tensor:
        """Everything after the first linear layer."""
        return self.layers[1:](values)


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

    def query(self, projected: torch.Tensor, lr_size: Size, coord: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        """Colours at coordinates.

        Args:
            projected: What `project` returned.
            lr_size: (h, w) of the feature map.
            coord: (B, Q, 2) float64, (y, x) in [-1, 1].
            cell: (B, 2) float64, height and width of an output pixel in coordinate units.
        Returns:
            (B, Q, outputs).
        """
        batch, _, hidden = projected.shape
        table = projected.reshape(-1, hidden)
        offset = torch.arange(batch, device=coord.device)[:, None] * projected.shape[1]
        weights = self.imnet.first.weight[:, self.features :]
        cell_part: torch.Tensor | float = 0.0
        if self.cell_decode:
            relative_cell = (cell * cell.new_tensor(lr_size)).to(projected.dtype)
            cell_part = functional.linear(relative_cell, weights[:, 2:])[:, None, :]
        total: torch.Tensor | None = None
        for found in neighbours(coord, lr_size, ensemble=self.local_ensemble):
            values = functional.embedding(found.index + offset, table)
            values = values + functional.linear(found.relative.to(projected.dtype), weights[:, :2]) + cell_part
            part = self.imnet.rest(values) * found.weight.to(projected.dtype)[..., None]
            total = part if total is None else total + part
        if total is None:
            raise RuntimeError("a query has at least one neighbour")
        return total

    def render(
        self, features: torch.Tensor, size: Size, *, cell: torch.Tensor | None = None, chunk: int
    ) -> torch.Tensor:
        """The whole image at `size`, `chunk` queries at a time.

        Args:
            features: (B, width, h, w).
            size: (H, W) of the result; the ratio may be fractional and differ per axis.
            cell: (B, 2) or (2,) instead of 2 / size.
            chunk: Queries per pass; bounds the memory and does not change the result.
        Returns:
            (B, outputs, H, W).
        """
        projected = self.project(features)
        lr_size = (features.shape[-2], features.shape[-1])
        cells = (cell_of(size, device=features.device) if cell is None else cell).expand(features.shape[0], 2)
        return in_chunks(
            lambda coord: self.query(projected, lr_size, coord.expand(features.shape[0], -1, -1), cells),
            size,
            chunk=chunk,
            device=features.device,
        )


def in_chunks(
    query: Callable[[torch.Tensor], torch.Tensor], size: Size, *, chunk: int, device: torch.device
) -> torch.Tensor:
    """Evaluate a query function on every pixel centre of an image.

    Args:
        query: (1, Q, 2) float64 coordinates -> (B, Q, C).
        size: (H, W).
        chunk: Queries per call.
        device: Where the coordinates are made.
    Returns:
        (B, C, H, W).
    Raises:
        ValueError: chunk below 1.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    count = size[0] * size[1]
    image: torch.Tensor | None = None
    for start in range(0, count, chunk):
        index = torch.arange(start, min(start + chunk, count), device=device)
        colours = query(coord_at(index, size)[None]).transpose(1, 2)
        if image is None:
            image = colours.new_empty((colours.shape[0], colours.shape[1], count))
        image[..., start : start + chunk] = colours
    if image is None:
        raise ValueError(f"nothing to query in an image of size {size}")
    return image.unflatten(2, size)
