"""Layers of Stable Diffusion's UNet: residual blocks that hear the timestep, and transformers that hear the text.

Source: Rombach et al. 2022 (transformers in the UNet), Ho et al. 2020 (timestep features). Names and shapes of tensors,
and where a norm or a residual sits, are those of diffusers' `ResnetBlock2D`, `Transformer2DModel` and their parts, so
that published weights load; tests/methods/test_own_unet.py compares the arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from methods.blocks.geometry import UNetArchitecture

NORM_EPS = 1e-5
"""Of the norms between convolutions."""
_TRANSFORMER_EPS = 1e-6
_PERIOD = 10_000
"""Longest wavelength of the timestep features, over 2 pi."""


def recomputed(layer: nn.Module, *inputs: Any, keep: bool) -> torch.Tensor:
    """What a layer computes; unless `keep`, the backward pass computes its activations again."""
    if keep or not torch.is_grad_enabled():
        return layer(*inputs)
    found = checkpoint(layer, *inputs, use_reentrant=False)
    assert isinstance(found, torch.Tensor)
    return found


class TimeEmbedding(nn.Module):
    """An embedding of the timestep: cosines and sines of it through two linear layers."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.features = features
        self.linear_1 = nn.Linear(features, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, t: torch.Tensor | int, like: torch.Tensor) -> torch.Tensor:
        """(B, width), for the batch, the device and the dtype of `like`; t: one step or (B,)."""
        steps = torch.as_tensor(t, device=like.device).expand(len(like))
        half = self.features // 2
        exponent = -math.log(_PERIOD) * torch.arange(half, dtype=torch.float32, device=like.device) / half
        angles = steps[:, None].float() * exponent.exp()
        waves = functional.pad(torch.cat((angles.cos(), angles.sin()), dim=1), (0, self.features % 2))
        return self.linear_2(functional.silu(self.linear_1(waves.to(like.dtype))))


class ResidualBlock(nn.Module):
    """Two convolutions around the timestep's embedding, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, embedding: int, groups: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, NORM_EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb_proj = nn.Linear(embedding, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs, NORM_EPS)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else None

    def forward(self, h: torch.Tensor, emb: torch.Tensor) -> torch.Tensor:
        """(B, inputs, h, w) and the embedding -> (B, outputs, h, w)."""
        inner = self.conv1(functional.silu(self.norm1(h)))
        inner = inner + self.time_emb_proj(functional.silu(emb))[:, :, None, None]
        inner = self.conv2(functional.silu(self.norm2(inner)))
        return (h if self.conv_shortcut is None else self.conv_shortcut(h)) + inner


class Attention(nn.Module):
    """Multi-head attention of tokens to others or to themselves."""

    def __init__(self, width: int, seen: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(seen, width, bias=False)
        self.to_v = nn.Linear(seen, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: torch.Tensor, others: torch.Tensor | None = None) -> torch.Tensor:
        """(B, N, width), of x and of what it attends to, (B, M, seen); None: x itself."""
        seen = x if others is None else others
        q, k, v = (
            each.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for each in (self.to_q(x), self.to_k(seen), self.to_v(seen))
        )
        return self.to_out[0](functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class GatedGelu(nn.Module):
    """A linear layer, half of whose outputs gate the other half through a GELU (Shazeer 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N, width) -> (B, N, hidden)."""
        x, gate = self.proj(x).chunk(2, dim=-1)
        return x * functional.gelu(gate)


class FeedForward(nn.Module):
    """Four times as wide inside as outside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # what lies between is dropout in diffusers; it has no tensors, but its number is in the names of the next
        self.net = nn.ModuleList([GatedGelu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, N, width) -> the same."""
        return self.net[2](self.net[0](x))


class TransformerBlock(nn.Module):
    """Attention to itself, to the text, and a feed-forward layer, each behind a norm and beside a residual."""

    def __init__(self, width: int, heads: int, text: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn1 = Attention(width, width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.attn2 = Attention(width, text, heads)
        self.norm3 = nn.LayerNorm(width)
        self.ff = FeedForward(width)

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        """(B, N, width) of the image and (B, L, D) of the text -> (B, N, width)."""
        x = self.attn1(self.norm1(x)) + x
        x = self.attn2(self.norm2(x), c) + x
        return self.ff(self.norm3(x)) + x


class Transformer(nn.Module):
    """A transformer over the pixels of a map; here it always has one block."""

    def __init__(self, width: int, heads: int, geometry: UNetArchitecture) -> None:
        super().__init__()
        self.linear = geometry.linear_projection
        self.norm = nn.GroupNorm(geometry.groups, width, _TRANSFORMER_EPS)
        self.proj_in = nn.Linear(width, width) if self.linear else nn.Conv2d(width, width, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, heads, geometry.cross_dim)])
        self.proj_out = nn.Linear(width, width) if self.linear else nn.Conv2d(width, width, 1)

    def tokens(self, h: torch.Tensor) -> torch.Tensor:
        """What its blocks see of a map: (B, C, h, w) -> (B, h w, C)."""
        h = self.norm(h)
        return self.proj_in(_rows(h)) if self.linear else _rows(self.proj_in(h))

    def added(self, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        """The map with what its blocks made of it: (B, h w, C) and (B, C, h, w) -> (B, C, h, w)."""
        size = h.shape[-2:]
        return (_map(self.proj_out(x), size) if self.linear else self.proj_out(_map(x, size))) + h

    def forward(self, h: torch.Tensor, c: torch.Tensor, *, keep: bool = True) -> torch.Tensor:
        """(B, C, h, w) and (B, L, D) -> (B, C, h, w); `keep` as in `recomputed`."""
        x = self.tokens(h)
        for block in self.transformer_blocks:
            x = recomputed(block, x, c, keep=keep)
        return self.added(x, h)


class Downsampler(nn.Module):
    """A convolution that halves the sides."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C, h/2, w/2)."""
        return self.conv(h)


class Upsampler(nn.Module):
    """Pixels repeated to twice the sides, then a convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) -> (B, C, 2 h, 2 w)."""
        return self.conv(functional.interpolate(h, scale_factor=2.0, mode="nearest"))


def _rows(h: torch.Tensor) -> torch.Tensor:
    return h.flatten(2).transpose(1, 2)


def _map(x: torch.Tensor, size: torch.Size) -> torch.Tensor:
    return x.transpose(1, 2).unflatten(2, size).contiguous()
