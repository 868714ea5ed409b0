"""Tokens that say what a whole image holds, for SARM: SAM's encoder, or a frozen random descriptor of patches (lite).

`semantics((B, 3, h, w) in [-1, 1]) -> (B, M, width)`; nothing here is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from transformers.models.sam.modeling_sam import SamVisionEncoder

_PATCH = 8
_SEED = 20260222
_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)
"""SAM's, of 8-bit pixels."""


class PatchSemantics(nn.Module):
    """8x8 RGB patches of the image at a small size, projected by a fixed random orthonormal matrix.

    [ours] The image is averaged down until `grid` patches span its longer side (smaller ones stay), which is lite's
    stand-in for SAM seeing every image at one size.
    """

    basis: torch.Tensor

    def __init__(self, width: int = 64, grid: int = 16) -> None:
        super().__init__()
        self.grid = grid
        drawn = torch.randn((3 * _PATCH**2, width), generator=torch.Generator().manual_seed(_SEED), dtype=torch.float64)
        self.register_buffer("basis", torch.linalg.qr(drawn)[0].float().contiguous())

    @torch.no_grad()
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, h, w) -> (B, M, width) with M at most grid²."""
        side = self.grid * _PATCH
        shrink = min(1.0, side / max(image.shape[-2:]))
        size = [max(round(length * shrink / _PATCH), 1) * _PATCH for length in image.shape[-2:]]
        small = functional.interpolate(image.float(), size=size, mode="area")
        return functional.unfold(small, _PATCH, stride=_PATCH).transpose(1, 2) @ self.basis.float()


class SamSemantics(nn.Module):
    """The neck features of SAM's image encoder, averaged to a grid of tokens."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, encoder: SamVisionEncoder, grid: int = 16) -> None:
        super().__init__()
        config: Any = encoder.config
        self.encoder = encoder.requires_grad_(False).eval()
        self.side, self.patch, self.grid = int(config.image_size), int(config.patch_size), grid
        self.channels = int(config.output_channels)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None] / 255, persistent=False)
        self.register_buffer("std", torch.tensor(_STD)[:, None, None] / 255, persistent=False)

    def train(self, mode: bool = True) -> SamSemantics:
        """As usual, but the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, h, w) -> (B, grid², channels): the part of SAM's map that the image covers, not its padding."""
        return functional.adaptive_avg_pool2d(self._features(image), self.grid).flatten(2).transpose(1, 2)

    def tokens(self, image: torch.Tensor) -> torch.Tensor:
        """Every token of that part, (B, 3, h, w) -> (B, N, channels); gradients reach the image."""
        return self._features(image).flatten(2).transpose(1, 2)

    def _features(self, image: torch.Tensor) -> torch.Tensor:
        shrink = self.side / max(image.shape[-2:])
        height, width = (max(round(length * shrink), 1) for length in image.shape[-2:])
        seen = functional.interpolate(
            image.float().div(2).add(0.5), size=(height, width), mode="bilinear", antialias=shrink < 1
        )
        seen = (seen - self.mean) / self.std
        seen = functional.pad(seen, (0, self.side - width, 0, self.side - height))
        found: Any = self.encoder(seen.to(next(self.encoder.parameters()).dtype))
        return found.last_hidden_state[..., : -(-height // self.patch), : -(-width // self.patch)].float()
