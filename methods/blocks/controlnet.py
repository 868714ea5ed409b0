"""The ControlNet of a UNet: a copy of its encoder that is shown an image and adds to its skips and its middle.

Source: Zhang et al. 2023; tensors have the names and shapes of diffusers' `ControlNetModel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.geometry import Padding
from methods.blocks.unet import Control, Encoder, Middle, UNet, down_levels, padded
from methods.blocks.unet_layers import TimeEmbedding


class Stem(nn.Module):
    """Convolutions that bring an image to the size of the latent; the last one begins at zero."""

    def __init__(self, channels: int, widths: tuple[int, ...], outputs: int) -> None:
        """Args: widths: each after the first halves the sides."""
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for before, width in pairwise(widths):
            self.blocks.append(nn.Conv2d(before, before, 3, padding=1))
            self.blocks.append(nn.Conv2d(before, width, 3, padding=1, stride=2))
        self.conv_out = _zero(nn.Conv2d(widths[-1], outputs, 3, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) -> (B, outputs, h, w)."""
        h = functional.silu(self.conv_in(image))
        for convolution in self.blocks:
            h = functional.silu(convolution(h))
        return self.conv_out(h)


class ControlNet(Encoder):
    """The network."""

    def __init__(self, unet: UNet, *, channels: int, embedding: tuple[int, ...], padding: Padding) -> None:
        """Build one with a UNet's encoder weights and zero output convolutions; before a LoRA is put into that.

        Args:
            unet: Whose geometry and weights it has.
            channels: Of the image that it is shown.
            embedding: Channels of its stem; each after the first halves the sides.
            padding: Of its convolutions.
        """
        architecture = unet.architecture
        super().__init__(architecture)
        widths = architecture.channels
        self.conv_in = nn.Conv2d(unet.conv_in.in_channels, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], unet.time_embedding.linear_2.out_features)
        self.controlnet_cond_embedding = Stem(channels, embedding, widths[0])
        self.down_blocks = nn.ModuleList()
        self.controlnet_down_blocks = nn.ModuleList([_zero_map(widths[0])])
        for level, width in zip(down_levels(architecture), widths, strict=True):
            self.down_blocks.append(level)
            count = architecture.layers + (level.downsamplers is not None)
            self.controlnet_down_blocks.extend(_zero_map(width) for _ in range(count))
        self.controlnet_mid_block = _zero_map(widths[-1])
        self.mid_block = Middle(widths[-1], architecture.heads[-1], architecture)
        for name in ("conv_in", "time_embedding", "down_blocks", "mid_block"):
            self.get_submodule(name).load_state_dict(unet.get_submodule(name).state_dict())
        padded(self, padding)

    def forward(
        self, z: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, image: torch.Tensor, *, strength: float = 1.0
    ) -> Control:
        """What it adds to a UNet.

        Args:
            z, t, c: As in `UNet.down_mid`.
            image: (B, channels, H, W) in [0, 1], so many times the latent's sides as the stem halves them.
            strength: Counts everything that is added.
        """
        h, maps = self.features(z, t, c, image)
        return tuple(each * strength for each in self.zeroed(maps)), self.controlnet_mid_block(h) * strength

    def features(
        self, z: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, image: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Its middle, and its maps from first to last, before the zero convolutions; arguments as in `forward`."""
        emb = self.time_embedding(t, z)
        return self._encode(self.conv_in(z) + self.controlnet_cond_embedding(image), emb, c)

    def zeroed(self, maps: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Maps behind the convolutions that begin at zero."""
        return tuple(zero(each) for each, zero in zip(maps, self.controlnet_down_blocks, strict=True))


def _zero(convolution: nn.Conv2d) -> nn.Conv2d:
    for parameter in convolution.parameters():
        nn.init.zeros_(parameter)
    return convolution


def _zero_map(width: int) -> nn.Conv2d:
    return _zero(nn.Conv2d(width, width, 1))
