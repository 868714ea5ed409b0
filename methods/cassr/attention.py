"""The multiple attention module (MAM): attention to the reference's and to the LR image's ControlNet features.

Source: CasSR section 3.3, Eq. 1 and 2. [inferred] The printed equations have no residual, which would replace a frozen
UNet's features; here X + W Attn(LN X, LN R) with W = 0 at first, and the printed form behind a switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from methods.cassr.architecture import Features, MamArchitecture, Order

_HEADS = 8
"""Stable Diffusion 1.5's."""


@dataclass(frozen=True, kw_only=True)
class MamSettings:
    """How the module is used; all of it works on the same weights.

    Attributes:
        ref, lr: Whether there is reference attention, LR attention.
        residual, features, order: See `MamArchitecture`.
    """

    ref: bool = True
    lr: bool = True
    residual: bool = True
    features: Features = "pre_zero"
    order: Order = "inner"


class ImageAttention(nn.Module):
    """Multi-head attention of a UNet's tokens to an image's."""

    def __init__(self, channels: int, kv_channels: int, heads: int, *, zero: bool) -> None:
        """Args: channels: of the UNet's tokens; kv_channels: of the image's; heads: number; zero: W = 0 at first."""
        super().__init__()
        self.heads = heads
        self.norm, self.norm_kv = nn.LayerNorm(channels), nn.LayerNorm(kv_channels)
        self.q = nn.Linear(channels, channels, bias=False)
        self.k = nn.Linear(kv_channels, channels, bias=False)
        self.v = nn.Linear(kv_channels, channels, bias=False)
        self.out = nn.Linear(channels, channels)
        if zero:
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(self, x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
        """(B, N, C) and (B, M, C') -> (B, N, C), without the residual."""
        image = self.norm_kv(image)
        q, k, v = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for each in (self.q(self.norm(x)), self.k(image), self.v(image))
        )
        seen = functional.scaled_dot_product_attention(q, k, v)  # softmax(Q K^T / sqrt(d)) V
        return self.out(seen.transpose(1, 2).flatten(-2))


class LayerAttention(nn.Module):
    """Both attentions of one decoder layer."""

    def __init__(self, channels: int, kv_channels: int, heads: int, *, zero: bool) -> None:
        super().__init__()
        self.ref = ImageAttention(channels, kv_channels, heads, zero=zero)
        self.lr = ImageAttention(channels, kv_channels, heads, zero=zero)

    def see_reference(self, x: torch.Tensor, image: torch.Tensor, settings: MamSettings) -> torch.Tensor:
        """Eq. 1, or x where it is switched off; (B, N, C) and the map (B, C', h, w)."""
        return _seen(self.ref, x, image, settings) if settings.ref else x

    def see_lr(self, x: torch.Tensor, image: torch.Tensor, settings: MamSettings) -> torch.Tensor:
        """Eq. 2, or x where it is switched off; shapes as in `see_reference`."""
        return _seen(self.lr, x, image, settings) if settings.lr else x


class MultipleAttention(nn.Module):
    """The attentions of all layers that have them."""

    def __init__(self, said: MamArchitecture, channels: Sequence[int], kv_channels: Sequence[int]) -> None:
        """Args: said: which layers; channels, kv_channels: of every decoder layer, and of the skip that it consumes."""
        super().__init__()
        self.layers = nn.ModuleDict()
        for layer in said.layers:
            width = channels[layer]
            heads = _HEADS if said.head_dim is None else width // said.head_dim
            self.layers[str(layer)] = LayerAttention(width, kv_channels[layer], heads, zero=said.residual)

    def at(self, layer: int) -> LayerAttention | None:
        """The attentions of a decoder layer, counted from the middle; None: it has none."""
        if str(layer) not in self.layers:
            return None
        found = self.layers[str(layer)]
        assert isinstance(found, LayerAttention)
        return found


def _seen(attention: ImageAttention, x: torch.Tensor, image: torch.Tensor, settings: MamSettings) -> torch.Tensor:
    found = attention(x, image.flatten(2).transpose(1, 2))
    return x + found if settings.residual else found
