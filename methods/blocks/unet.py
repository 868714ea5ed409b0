"""The denoising UNet of Stable Diffusion 1 and 2 and of SD-Turbo, of any size, cut between its middle and its decoder.

Source: Rombach et al. 2022. Tensors have the names and shapes of diffusers' `UNet2DConditionModel`, fresh ones the same
draws: published weights load, and so do those that were trained with that class. Of that class this is what those
models use; importing it would cost a process more than torch does (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.geometry import Padding, UNetArchitecture
from methods.blocks.unet_layers import (
    NORM_EPS,
    Downsampler,
    ResidualBlock,
    TimeEmbedding,
    Transformer,
    Upsampler,
    recomputed,
)

M = TypeVar("M", bound=nn.Module)
Control = tuple[Sequence[torch.Tensor], torch.Tensor]
"""What a ControlNet adds: to every skip, and to the middle."""


class Level(nn.Module):
    """Residual blocks of one resolution, each with a transformer behind it where the level attends.

    Attributes:
        gradient_checkpointing: The backward pass computes the layers' activations again.
    """

    attentions: nn.ModuleList | None

    def __init__(self, widths: Sequence[tuple[int, int]], heads: int | None, geometry: UNetArchitecture) -> None:
        """Args: widths: inputs and outputs of every residual block; heads: None: it does not attend."""
        super().__init__()
        embedding, resnets, attentions = _embedding_width(geometry), [], []
        for inputs, outputs in widths:
            resnets.append(ResidualBlock(inputs, outputs, embedding, geometry.groups))
            if heads is not None:
                attentions.append(Transformer(outputs, heads, geometry))
        self.attentions = nn.ModuleList(attentions) if heads is not None else None
        self.resnets = nn.ModuleList(resnets)
        self.gradient_checkpointing = False

    def layers(self) -> list[tuple[nn.Module, Transformer | None]]:
        """Its residual blocks with the transformers behind them."""
        behind = [None] * len(self.resnets) if self.attentions is None else list(self.attentions)
        return list(zip(self.resnets, behind, strict=True))  # pyright: ignore[reportReturnType]

    def _layer(
        self, resnet: nn.Module, transformer: Transformer | None, h: torch.Tensor, emb: torch.Tensor, c: torch.Tensor
    ) -> torch.Tensor:
        keep = not self.gradient_checkpointing
        h = recomputed(resnet, h, emb, keep=keep)
        return h if transformer is None else transformer(h, c, keep=keep)


class DownLevel(Level):
    """A level of the encoder."""

    def __init__(
        self, widths: Sequence[tuple[int, int]], heads: int | None, geometry: UNetArchitecture, *, last: bool
    ) -> None:
        super().__init__(widths, heads, geometry)
        self.downsamplers = None if last else nn.ModuleList([Downsampler(widths[-1][1])])

    def forward(
        self, h: torch.Tensor, emb: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """The map for the next level, and the skips from first to last."""
        skips: tuple[torch.Tensor, ...] = ()
        for resnet, transformer in self.layers():
            h = self._layer(resnet, transformer, h, emb, c)
            skips += (h,)
        for downsampler in self.downsamplers or ():
            h = downsampler(h)
            skips += (h,)
        return h, skips


class UpLevel(Level):
    """A level of the decoder; each of its residual blocks takes a skip."""

    def __init__(
        self, widths: Sequence[tuple[int, int]], heads: int | None, geometry: UNetArchitecture, *, last: bool
    ) -> None:
        super().__init__(widths, heads, geometry)
        self.upsamplers = None if last else nn.ModuleList([Upsampler(widths[-1][1])])

    def forward(
        self, h: torch.Tensor, emb: torch.Tensor, c: torch.Tensor, skips: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """The map for the next level; the last skip is used first."""
        for (resnet, transformer), skip in zip(self.layers(), reversed(skips), strict=True):
            h = self._layer(resnet, transformer, torch.cat((h, skip), dim=1), emb, c)
        return self.enlarged(h)

    def enlarged(self, h: torch.Tensor) -> torch.Tensor:
        """A map at the next level's sides."""
        for upsampler in self.upsamplers or ():
            h = upsampler(h)
        return h


class Middle(Level):
    """The bottleneck: a residual block, a transformer, a residual block."""

    def __init__(self, width: int, heads: int, geometry: UNetArchitecture) -> None:
        super().__init__([(width, width)], heads, geometry)
        self.resnets.append(ResidualBlock(width, width, _embedding_width(geometry), geometry.groups))

    def forward(self, h: torch.Tensor, emb: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> the same."""
        assert self.attentions is not None
        keep = not self.gradient_checkpointing
        h = self.attentions[0](self.resnets[0](h, emb), c, keep=keep)
        return recomputed(self.resnets[1], h, emb, keep=keep)


class Encoder(nn.Module):
    """What a UNet and its ControlNet share: levels of falling resolution and a middle, behind a first convolution."""

    conv_in: nn.Conv2d
    time_embedding: TimeEmbedding
    down_blocks: nn.ModuleList
    mid_block: Middle

    def __init__(self, architecture: UNetArchitecture) -> None:
        super().__init__()
        self.architecture = architecture

    def enable_gradient_checkpointing(self) -> None:
        """Keep fewer activations for the backward pass: it computes those inside the levels' layers again."""
        for module in self.modules():
            if isinstance(module, Level):
                module.gradient_checkpointing = True

    def _encode(
        self, h: torch.Tensor, emb: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """The bottleneck features, and the skips from first (h itself) to last."""
        skips: tuple[torch.Tensor, ...] = (h,)
        for block in self.down_blocks:
            h, more = block(h, emb, c)
            skips += more
        return self.mid_block(h, emb, c), skips


class UNet(Encoder):
    """The whole network; `forward` is `up` of what `down_mid` returns."""

    def __init__(self, architecture: UNetArchitecture, *, inputs: int, outputs: int, padding: Padding) -> None:
        """Build a fresh one.

        Args:
            architecture: Its geometry.
            inputs, outputs: Channels.
            padding: Of its convolutions.
        """
        super().__init__(architecture)
        widths, heads = architecture.channels, architecture.heads
        self.conv_in = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.time_embedding = TimeEmbedding(widths[0], _embedding_width(architecture))
        self.down_blocks, self.up_blocks = nn.ModuleList(), nn.ModuleList()
        self.down_blocks.extend(down_levels(architecture))
        self.mid_block = Middle(widths[-1], heads[-1], architecture)
        self.up_blocks.extend(_up_levels(architecture))
        self.conv_norm_out = nn.GroupNorm(architecture.groups, widths[0], NORM_EPS)
        self.conv_out = nn.Conv2d(widths[0], outputs, 3, padding=1)
        padded(self, padding)

    def forward(
        self, x: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, control: Control | None = None
    ) -> torch.Tensor:
        """The prediction, (B, outputs, h, w); arguments as in `down_mid`."""
        return self.up(*self.down_mid(x, t, c, control), c)

    def down_mid(
        self, x: torch.Tensor, t: torch.Tensor | int, c: torch.Tensor, control: Control | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]:
        """The encoder and the middle.

        Args:
            x: (B, inputs, h, w), the sides multiples of the architecture's reduction.
            t: The timestep, one or (B,).
            c: (B, L, D), text tokens.
            control: Of a ControlNet.
        Returns:
            The bottleneck features (B, C', h/r, w/r), the skips from first to last, and the embedding of t.
        Raises:
            ValueError: sides that the levels do not divide.
        """
        reduction = self.architecture.reduction
        if x.shape[-2] % reduction or x.shape[-1] % reduction:
            raise ValueError(f"expected sides that are multiples of {reduction}, got {x.shape[-2]} x {x.shape[-1]}")
        emb = self.time_embedding(t, x)
        h, skips = self._encode(self.conv_in(x), emb, c)
        if control is not None:
            skips = tuple(skip + added for skip, added in zip(skips, control[0], strict=True))
            h = h + control[1]
        return h, skips, emb

    def up(self, h: torch.Tensor, skips: Sequence[torch.Tensor], emb: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """The decoder, of what `down_mid` returned; (B, outputs, h, w)."""
        left = tuple(skips)
        for block in self.up_blocks:
            count = len(block.resnets)  # pyright: ignore[reportArgumentType]
            left, used = left[:-count], left[-count:]
            h = block(h, emb, c, used)
        return self.predicted(h)

    def predicted(self, h: torch.Tensor) -> torch.Tensor:
        """The prediction of the last level's map."""
        return self.conv_out(functional.silu(self.conv_norm_out(h)))


def down_levels(architecture: UNetArchitecture) -> list[DownLevel]:
    """Fresh levels of an encoder, from the largest maps to the smallest."""
    widths, levels = architecture.channels, []
    for number, (before, width) in enumerate(pairwise((widths[0], *widths))):
        pairs = [(before, width), *[(width, width)] * (architecture.layers - 1)]
        levels.append(DownLevel(pairs, _heads(architecture, number), architecture, last=number == len(widths) - 1))
    return levels


def _up_levels(architecture: UNetArchitecture) -> list[UpLevel]:
    """From the smallest maps to the largest; the last skip of a level comes from the level before it in the encoder."""
    widths, levels, before = architecture.channels, [], architecture.channels[-1]
    for number in reversed(range(len(widths))):
        width, skips = widths[number], [widths[number]] * architecture.layers + [widths[max(number - 1, 0)]]
        inputs = [before, *[width] * architecture.layers]
        pairs = [(inputs[i] + skips[i], width) for i in range(architecture.layers + 1)]
        levels.append(UpLevel(pairs, _heads(architecture, number), architecture, last=number == 0))
        before = width
    return levels


def _heads(architecture: UNetArchitecture, number: int) -> int | None:
    return architecture.heads[number] if architecture.attention[number] else None


def _embedding_width(architecture: UNetArchitecture) -> int:
    return 4 * architecture.channels[0]


def padded(network: M, mode: Padding) -> M:
    """The same network, in which every convolution that pads does so by a mode of `torch.nn.Conv2d`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and mode != module.padding_mode and module.padding != (0, 0):
            # torch keeps the widths of the sides beside the mode, which the class decides at its making
            module.padding_mode = mode
    return network
