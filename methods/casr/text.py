"""The prompts that go with images.

Source: CASR re-reads the prompt from the image in every cycle with the RAM tagger; [inferred] without that tagger, the
fixed prompt of S3Diff. One-step turbo models know no guidance by a negative prompt.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Literal, cast

import torch

from bench.api import RequestError

Tagger = Callable[[torch.Tensor], str | Sequence[str]]
"""A (3, h, w) image in [0, 1] -> its tags: RAM, or whatever stands in for it."""
Prompt = Literal["fixed", "ram", "empty"]
FIXED = (
    "A high-resolution, 8K, ultra-realistic image with sharp focus, vibrant colors, and natural lighting."  # S3Diff's
)


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
