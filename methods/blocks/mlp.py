"""The fully connected part of the continuous decoders."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


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
