"""The denoiser: a UNet whose encoder is modulated by a coordinate adapter that mirrors it.

Source: CasArbi, section IV-B (adapter, spatial feature transform, time and scale embedding), V-A2 (the adapter mirrors
the encoder without the modulation); residual blocks with scale-shift normalisation as in ADM and ResShift; the
transform as in SFTGAN. [inferred] widths, the sum of features and coordinates, modulation in the encoder only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from methods.blocks.edsr import conv3

_GROUPS = 8


class TimeScaleEmbedding(nn.Module):
    """e = W2 SiLU(W1 [PE(t); PE(1000 log2 s)]), of width 4 b. [inferred] log2 of the scale, on the scale of steps."""

    def __init__(self, base: int) -> None:
        super().__init__()
        self.base = base
        self.layers = nn.Sequential(nn.Linear(2 * base, 4 * base), nn.SiLU(), nn.Linear(4 * base, 4 * base))

    def forward(self, t: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """Args: t, scale: (B,); returns (B, 4 b)."""
        parts = (t.float(), 1000 * torch.log2(scale.float()))
        codes = torch.cat([sinusoids(part, self.base) for part in parts], dim=1)
        return self.layers(codes.to(next(self.layers.parameters()).dtype))


def sinusoids(values: torch.Tensor, width: int) -> torch.Tensor:
    """Sines and cosines at frequencies from 1 down to 1e-4; (B,) -> (B, width)."""
    half = width // 2
    frequencies = torch.exp(-math.log(1e4) * torch.arange(half, device=values.device) / half)
    angles = values[:, None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), dim=1)


class SFT(nn.Module):
    """Spatial feature transform: h (1 + gamma(a)) + beta(a); starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = (_pointwise(width) for _ in range(2))

    def forward(self, features: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Args: both (B, width, H, W)."""
        return torch.addcmul(features + self.beta(condition), features, self.gamma(condition))


def _pointwise(width: int) -> nn.Sequential:
    last = zeroed(nn.Conv2d(width // 2, width, kernel_size=1))
    return nn.Sequential(nn.Conv2d(width, width // 2, kernel_size=1), nn.LeakyReLU(0.1), last)


class ResBlock(nn.Module):
    """Norm - SiLU - conv3 - norm - (1 + gamma_e, beta_e) - [SFT] - SiLU - conv3, plus the input."""

    def __init__(self, inputs: int, outputs: int, embedding: int, *, modulated: bool = False) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.GroupNorm(_GROUPS, inputs), nn.SiLU(inplace=True), conv3(inputs, outputs))
        self.norm = nn.GroupNorm(_GROUPS, outputs)
        self.film = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        self.sft = SFT(outputs) if modulated else None
        self.after = nn.Sequential(nn.SiLU(inplace=True), conv3(outputs, outputs))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, kernel_size=1)

    def forward(
        self, features: torch.Tensor, embedding: torch.Tensor, condition: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Args: features: (B, inputs, H, W); embedding: (B, E); condition: (B, outputs, H, W), where modulated."""
        gamma, beta = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        inner = modulated_norm(self.norm, self.before(features), gamma, beta)
        if self.sft is not None and condition is not None:
            inner = self.sft(inner, condition)
        return self.skip(features) + self.after(inner)


class Attention(nn.Module):
    """Self-attention over all pixels, four heads."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(_GROUPS, width)
        self.qkv = nn.Conv2d(width, 3 * width, kernel_size=1)
        self.out = zeroed(nn.Conv2d(width, width, kernel_size=1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Args: features: (B, width, H, W); the same shape."""
        height, width = features.shape[-2:]
        heads = self.qkv(self.norm(features)).flatten(2).unflatten(1, (3, self.heads, -1)).transpose(-1, -2)
        q, k, v = heads.unbind(1)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return features + self.out(mixed.transpose(-1, -2).flatten(1, 2).unflatten(-1, (height, width)))


class Down(nn.Module):
    """The contracting half: residual blocks per level, a strided convolution between levels."""

    def __init__(self, base: int, mult: Sequence[int], blocks: int, embedding: int, *, modulated: bool) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        self.shrink = nn.ModuleList()
        width = base
        for index, factor in enumerate(mult):
            inner = nn.ModuleList()
            for _ in range(blocks):
                inner.append(ResBlock(width, base * factor, embedding, modulated=modulated))
                width = base * factor
            self.levels.append(inner)
            if index < len(mult) - 1:
                self.shrink.append(nn.Conv2d(width, width, kernel_size=3, stride=2, padding=1))

    def forward(
        self, features: torch.Tensor, embedding: torch.Tensor, conditions: Sequence[torch.Tensor] | None = None
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Args: features: (B, base, H, W); conditions: one per block, or None.

        Returns:
            What every block gave, and everything that the expanding half takes back (with the input and what was
            strided), in the order of making.
        """
        made: list[torch.Tensor] = []
        skips = [features]
        for index, level in enumerate(self.levels):
            for block in level:  # pyright: ignore[reportGeneralTypeIssues]
                features = block(features, embedding, None if conditions is None else conditions[len(made)])
                made.append(features)
                skips.append(features)
            if index < len(self.shrink):
                features = self.shrink[index](features)
                skips.append(features)
        return made, skips


class Up(nn.Module):
    """The expanding half: every block takes one map of the contracting half back."""

    def __init__(self, base: int, mult: Sequence[int], blocks: int, embedding: int) -> None:
        super().__init__()
        taken = [base]
        for index, factor in enumerate(mult):
            taken += [base * factor] * (blocks + (index < len(mult) - 1))
        self.levels = nn.ModuleList()
        self.grow = nn.ModuleList()
        width = base * mult[-1]
        for index, factor in reversed(list(enumerate(mult))):
            inner = nn.ModuleList()
            for _ in range(blocks + 1):
                inner.append(ResBlock(width + taken.pop(), base * factor, embedding))
                width = base * factor
            self.levels.append(inner)
            if index > 0:
                self.grow.append(conv3(width, width))

    def forward(self, features: torch.Tensor, skips: Sequence[torch.Tensor], embedding: torch.Tensor) -> torch.Tensor:
        """Args: features: of the middle; skips: what `Down` returned."""
        left = list(skips)
        for index, level in enumerate(self.levels):
            for block in level:  # pyright: ignore[reportGeneralTypeIssues]
                features = block(torch.cat((features, left.pop()), dim=1), embedding)
            if index < len(self.grow):
                features = doubled(features, *self.grow[index].parameters())
        return features


class UNet(nn.Module):
    """The denoiser's trunk, from the first features to three channels that start as zero."""

    def __init__(
        self, base: int, mult: Sequence[int], blocks: int, *, embedding: int, attention: bool, modulated: bool
    ) -> None:
        super().__init__()
        deepest = base * mult[-1]
        self.down = Down(base, mult, blocks, embedding, modulated=modulated)
        self.middle = nn.ModuleList((ResBlock(deepest, deepest, embedding), ResBlock(deepest, deepest, embedding)))
        self.attention = Attention(deepest) if attention else None
        self.up = Up(base, mult, blocks, embedding)
        self.out = nn.Sequential(nn.GroupNorm(_GROUPS, base), nn.SiLU(), zeroed(conv3(base, 3)))

    def forward(
        self, features: torch.Tensor, embedding: torch.Tensor, conditions: Sequence[torch.Tensor] | None
    ) -> torch.Tensor:
        """Args: features: (B, base, H, W), sides divisible by 2^(levels - 1); returns (B, 3, H, W)."""
        made, skips = self.down(features, embedding, conditions)
        middle = self.middle[0](made[-1], embedding)
        if self.attention is not None:
            middle = self.attention(middle)
        return self.out(self.up(self.middle[1](middle, embedding), skips, embedding))


def modulated_norm(norm: nn.GroupNorm, features: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """norm(features) (1 + gamma) + beta; of a single image in one pass, as gain and bias of the norm.

    Args:
        norm: With gain and bias.
        features: (B, C, H, W).
        gamma, beta: (B, C, 1, 1).
    Returns:
        (B, C, H, W).
    """
    if len(features) > 1:
        return norm(features) * (1 + gamma) + beta
    gain = 1 + gamma.flatten()
    return functional.group_norm(
        features, norm.num_groups, norm.weight * gain, norm.bias * gain + beta.flatten(), norm.eps
    )


def doubled(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """A zero-padded 3x3 convolution of the features repeated twice along both sides, at 4/9 of the products.

    Repeated pixels meet two taps each, so that every phase of the result is a 2x2 convolution of the features, whose
    taps are sums of those: [w0, w1 + w2] in even rows and columns, [w0 + w1, w2] in odd ones.

    Args:
        features: (B, C, h, w).
        weight, bias: (O, C, 3, 3) and (O,).
    Returns:
        (B, O, 2 h, 2 w).
    """
    sums = weight.new_tensor((((1, 0, 0), (0, 1, 1)), ((1, 1, 0), (0, 0, 1))))
    taps = torch.einsum("aij,bkl,ocjl->abocik", sums, sums, weight).flatten(0, 2)
    phases = functional.conv2d(functional.pad(features, (1, 1, 1, 1)), taps, bias.repeat(4)).unflatten(1, (2, 2, -1))
    batch, _, height, width = features.shape
    result = features.new_empty(batch, 2 * height, 2 * width, len(bias)).permute(0, 3, 1, 2)
    for row in (0, 1):
        for column in (0, 1):
            phase = phases[:, row, column, :, row : row + height, column : column + width]
            result[..., row::2, column::2] = phase
    return result


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer, starting at zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
