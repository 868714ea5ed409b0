"""The text slot of a diffusion UNet: Stable Diffusion's text encoder, or one learned token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer

_KEPT = 64
"""Prompts whose tokens are kept."""


class LearnedText(nn.Module):
    """One token for every image, zero at first; the prompt is not read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, prompts: Sequence[str]) -> torch.Tensor:
        """(B, 1, width)."""
        return self.token.expand(len(prompts), -1, -1)


class ClipText(nn.Module):
    """The frozen text encoder of a Stable Diffusion model."""

    def __init__(self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.encoder = encoder.requires_grad_(False).eval()
        self._known: dict[str, torch.Tensor] = {}

    def train(self, mode: bool = True) -> ClipText:
        """As usual, but the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def forward(self, prompts: Sequence[str]) -> torch.Tensor:
        """(B, L, D), of the encoder's dtype; each prompt is cut or filled to the tokenizer's length."""
        return torch.cat([self._encoded(prompt) for prompt in prompts])

    def _encoded(self, prompt: str) -> torch.Tensor:
        found = self._known.get(prompt)
        parameter = next(self.encoder.parameters())
        if found is None or found.device != parameter.device or found.dtype != parameter.dtype:
            length = self.tokenizer.model_max_length
            read: Any = self.tokenizer(
                prompt, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
            )
            with torch.inference_mode(False), torch.no_grad():  # kept tensors must serve training too
                found = self.encoder(read.input_ids.to(parameter.device))[0]
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[prompt] = found
        return found
