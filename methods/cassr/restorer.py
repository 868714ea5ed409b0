"""A plain restorer for image activation "sr": residual blocks on the bicubic enlargement. [ours]

Source: CasSR section 4.1 allows any pre-trained super-resolution model as the image activation module. Convolutions
see the border again, and the residual has mean zero: a constant image stays as it is.
"""

from __future__ import annotations

import torch
from torch import nn

from bench.imaging.tiling import tiled
from methods.blocks.edsr import ResBlock, conv3
from methods.blocks.unet import padded
from methods.cassr.architecture import RestorerArchitecture

_TILE = 512
"""Larger images are restored in tiles outside of training."""


class Restorer(nn.Module):
    """conv - residual blocks - conv, added to the image; nothing at first."""

    def __init__(self, said: RestorerArchitecture) -> None:
        super().__init__()
        blocks = [ResBlock(said.width) for _ in range(said.blocks)]
        last = conv3(said.width, 3)
        nn.init.zeros_(last.weight)
        self.layers = padded(nn.Sequential(conv3(3, said.width), *blocks, last), "replicate")
        self.reach = 2 * said.blocks + 2

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] -> the same shape, not clipped."""
        if torch.is_grad_enabled() or max(image.shape[-2:]) <= _TILE:
            residual = self.layers(image)
        else:
            size = (image.shape[-2], image.shape[-1])
            # the middle half of an overlap is feathered: four times the reach, and tiles agree where they are
            residual = torch.stack(
                [
                    tiled(lambda part, _: self.layers(part[None])[0], each, size, tile=_TILE, overlap=4 * self.reach)
                    for each in image
                ]
            )
        return image + residual - residual.mean(dim=(-2, -1), keepdim=True)
