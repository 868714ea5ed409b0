"""What is said of every image: a general description, or nothing for the unconditional branch.

Source: CasSR section 3.4: no prompt per image, only "clean, high-resolution", in training and inference.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

DESCRIPTION = "clean, high-resolution"
NOTHING = ""
NEGATIVE = "dotted, noise, blur, lowres, smooth"
"""PASD's and SeeSR's negative prompt. The paper names none."""


class LearnedTexts(nn.Module):
    """One token for nothing and one for any other prompt (lite)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.zeros(2, 1, width))

    def forward(self, prompts: Sequence[str]) -> torch.Tensor:
        """(B, 1, width)."""
        return self.tokens[[int(prompt != NOTHING) for prompt in prompts]]
