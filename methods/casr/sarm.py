"""SARM: one self-attention over the bottleneck tokens of all tiles of an image, then attention to its semantics.

Source: CASR says what attends to what; [inferred] that it sits between the UNet's middle and its decoder, the
normalised residual form, no feed-forward layer and no positional code, see `SarmArchitecture`. Both output layers start
at zero.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from methods.casr.architecture import SarmArchitecture


class Attention(nn.Module):
    """LN, attention with as many heads as told, a zero-initialised output layer; the caller adds the residual."""

    def __init__(self, width: int, context: int, architecture: SarmArchitecture) -> None:
        super().__init__()
        inner = architecture.heads * architecture.head_dim
        self.heads = architecture.heads
        self.norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(context, inner, bias=False)
        self.to_v = nn.Linear(context, inner, bias=False)
        self.to_out = nn.Linear(inner, width)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, queries: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Normalised queries (B, N, width) and context (B, M, context) -> (B, N, width)."""
        q, k, v = (
            layer(each).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, each in ((self.to_q, queries), (self.to_k, context), (self.to_v, context))
        )
        found = functional.scaled_dot_product_attention(q, k, v)
        return self.to_out(found.transpose(1, 2).flatten(2))


class Sarm(nn.Module):
    """Self-Similarity Aware Refinement: F' = F + Attn(F, F), F'' = F' + Attn(F', G)."""

    def __init__(self, width: int, semantic_dim: int, architecture: SarmArchitecture) -> None:
        super().__init__()
        self.position = architecture.position
        self.self_attention = Attention(width, width, architecture)
        self.cross_attention: Attention | None = None
        self.semantic_norm: nn.LayerNorm | None = None
        if architecture.lr_semantics:
            self.cross_attention = Attention(width, semantic_dim, architecture)
            self.semantic_norm = nn.LayerNorm(semantic_dim)

    def forward(
        self,
        tokens: torch.Tensor,
        semantics: torch.Tensor | None,
        *,
        keys: torch.Tensor | None = None,
        places: torch.Tensor | None = None,
        key_places: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Refine the tokens of all tiles; images of a batch never see each other.

        Args:
            tokens: (B, N, C), whatever order the tiles have.
            semantics: (B, M, D); None: no attention to them.
            keys: (B, K, C) that stand for the tokens where there are too many; None: the tokens themselves.
            places: (N, 2), where the tokens lie (row, column), in tokens; needed by `position="sincos"`.
            key_places: (K, 2), of the keys.
        Returns:
            (B, N, C).
        """
        norm = self.self_attention.norm
        asked = norm(tokens) + self._code(tokens, places)
        offered = asked if keys is None else norm(keys) + self._code(keys, key_places)
        tokens = tokens + self.self_attention(asked, offered)
        if semantics is not None and self.cross_attention is not None and self.semantic_norm is not None:
            known = self.semantic_norm(semantics)
            tokens = tokens + self.cross_attention(self.cross_attention.norm(tokens), known)
        return tokens

    def _code(self, tokens: torch.Tensor, places: torch.Tensor | None) -> torch.Tensor | float:
        if self.position == "none":
            return 0.0
        if places is None:
            raise ValueError("position sincos needs the places of the tokens")
        return sincos(places, tokens.shape[-1]).to(tokens)


def sincos(places: torch.Tensor, width: int) -> torch.Tensor:
    """Sines and cosines of places, half of the channels per axis.

    Args:
        places: (N, 2).
        width: Channels of the result, a multiple of 4.
    Returns:
        (N, width), float32; wavelengths from 2 pi to 2 pi 10^4.
    """
    rates = 1e4 ** -torch.linspace(0, 1, width // 4, device=places.device)
    phases = places.float()[..., None] * rates
    return torch.cat((phases.sin(), phases.cos()), dim=-1).flatten(1)
