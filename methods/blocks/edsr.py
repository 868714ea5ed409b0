"""The EDSR-baseline feature extractor: no upsampler, no batch normalisation, no mean shift.

Source: Lim et al., "Enhanced Deep Residual Networks" (CVPRW 2017), as LIIF and its successors use it. Parameter names
(`head.0`, `body.<i>.body.<0|2>`, `body.<n>`) are those of the published LIIF checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def conv3(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size (zero padding)."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)


class ResBlock(nn.Module):
    """conv3 - ReLU - conv3 with an identity skip (res_scale 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv3(width, width), nn.ReLU(inplace=True), conv3(width, width))

    def forward(self, features: torch.Tensor, gain: torch.Tensor | None = None) -> torch.Tensor:
        """Args: features: (B, width, h, w); gain: (B, width) factors of the branch (not of the sum); same shape."""
        branch = self.body(features)
        return features + (branch if gain is None else branch * gain[:, :, None, None])


class EDSRBody(nn.Module):
    """conv3, `blocks` residual blocks, conv3, and a skip over all of them."""

    def __init__(self, *, blocks: int = 16, width: int = 64, channels: int = 3) -> None:
        """Args: blocks: residual blocks; width: feature channels; channels: of the image."""
        super().__init__()
        self.width = width
        self.head = nn.Sequential(conv3(channels, width))
        self.body = nn.Sequential(*(ResBlock(width) for _ in range(blocks)), conv3(width, width))

    def forward(self, image: torch.Tensor, gains: Sequence[torch.Tensor] | None = None) -> torch.Tensor:
        """Features of an image.

        Args:
            image: (B, channels, h, w), normalised to [-1, 1].
            gains: One (B, width) per residual block, multiplied onto its branch; None: the plain EDSR.
        Returns:
            (B, width, h, w).
        Raises:
            ValueError: another number of gains than blocks.
        """
        *blocks, last = self.body
        if gains is not None and len(gains) != len(blocks):
            raise ValueError(f"expected {len(blocks)} gains, one per residual block, got {len(gains)}")
        shallow = features = self.head(image)
        for index, block in enumerate(blocks):
            features = block(features) if gains is None else block(features, gains[index])
        return last(features) + shallow

    @property
    def reach(self) -> int:
        """How many pixels away an input pixel can still change a feature: 1 per convolution."""
        return 2 * len(self.body)
