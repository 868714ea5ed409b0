"""The text slot: SD-Turbo's text encoder with a prompt, or one learned token (lite).

Source: CASR re-reads the prompt from the image in every cycle with the RAM tagger; [inferred] without that tagger, the
fixed prompt of S3Diff. One-step turbo models know no guidance by a negative prompt.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import nn

from bench.api import RequestError

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer

Tagger = Callable[[torch.Tensor], str | Sequence[str]]
"""A (3, h, w) image in [0, 1] -> its tags: RAM, or whatever stands in for it."""
Prompt = Literal["fixed", "ram", "empty"]
FIXED = (
    "A high-resolution, 8K, ultra-realistic image with sharp focus, vibrant colors, and natural lighting."  # S3Diff's
)
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


class Prompter:
    """Which prompt goes with an image."""

    def __init__(self, kind: Prompt = "fixed", tagger: Tagger | None = None) -> None:
        """Args: kind: where prompts come from; tagger: needed by "ram".

        Raises:
            RequestError: "ram" without a tagger.
        """
        if kind == "ram" and tagger is None:
            raise RequestError(
                "prompt=ram reads the prompt from the image and needs a tagger: name a Python callable from a (3, h, "
                "w) image in [0, 1] to tags with tagger=PACKAGE.MODULE:NAME, or use prompt=fixed"
            )
        self.kind, self.tagger = kind, tagger

    def __call__(self, images: torch.Tensor) -> list[str]:
        """(B, 3, h, w) in [-1, 1] -> one prompt per image. Several tags are joined by commas."""
        if self.kind != "ram" or self.tagger is None:
            return [FIXED if self.kind == "fixed" else ""] * len(images)
        found = [self.tagger(image.detach().float().div(2).add(0.5).clamp(0, 1)) for image in images]
        return [tags if isinstance(tags, str) else ", ".join(tags) for tags in found]


def find_tagger(name: str) -> Tagger:
    """The callable behind "package.module:name".

    Raises:
        RequestError: there is none.
    """
    module, colon, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute) if colon else None
    except (ImportError, AttributeError) as fault:
        raise RequestError(f"tagger {name}: {fault}; expected PACKAGE.MODULE:NAME of something importable") from fault
    if not callable(found):
        raise RequestError(f"tagger {name}: expected PACKAGE.MODULE:NAME of a callable")
    return cast("Tagger", found)
