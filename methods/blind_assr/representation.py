"""The implicit degradation representation: encoder E, and SimSiam's projector and head.

Source: the blind arbitrary-scale paper, section 3.1; the layers, which the paper leaves to an appendix, as in
DASR and the authors' release (facts only); SimSiam (Chen and He, CVPR 2021) for projector and head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class DegradationEncoder(nn.Module):
    """E: six 3x3 convolutions at three resolutions, then the mean over the image."""

    def __init__(self, inputs: int, channels: Sequence[int]) -> None:
        """Args: inputs: channels of `haar.encoder_input`; channels: of the three levels."""
        super().__init__()
        layers: list[nn.Module] = []
        last = inputs
        for level, width in enumerate(channels):
            layers += [*_layer(last, width, stride=1 if level == 0 else 2), *_layer(width, width, stride=1)]
            last = width
        self.layers = nn.Sequential(*layers)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        """Args: bands: (B, inputs, h, w), any size; returns z (B, channels[-1])."""
        return self.layers(bands).mean(dim=(-2, -1))


def _layer(inputs: int, outputs: int, *, stride: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1)
    return conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True)


class SimSiamHead(nn.Module):
    """Projector and prediction head G; used in training only."""

    def __init__(self, width: int, hidden: int) -> None:
        """Args: width: of z and q; hidden: of the head."""
        super().__init__()
        self.projector = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(width, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, width),
        )

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Args: z: (B, width); returns q = projector(z) and p = G(q), both (B, width)."""
        q = self.projector(z)
        return q, self.predictor(q)
