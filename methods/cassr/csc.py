"""SCEdit's controllable tuner (CSC-Tuner), CasSR's default image activation module: skips edited by a hint image.

Source: SCEdit (Jiang et al. 2024): cascaded dense convolutions turn the image into one hint per skip, and a small tuner
edits each skip by the sum of both. Only the decoder of the UNet gets gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from methods.cassr.architecture import CscArchitecture


class ScTuner(nn.Module):
    """x + T(x + hint) + hint with T = W2 GELU(W1 x) per pixel, W2 = 0 at first."""

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        hidden = max(round(channels * ratio), 1)
        self.down, self.up = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, skip: torch.Tensor, hint: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) twice -> the edited skip."""
        tokens = (skip + hint).movedim(1, -1)
        return skip + self.up(functional.gelu(self.down(tokens))).movedim(-1, 1) + hint


class CscTuner(nn.Module):
    """The stem on the hint image, the cascade of hints, and a tuner per skip."""

    def __init__(self, said: CscArchitecture, channels: Sequence[int], reductions: Sequence[int]) -> None:
        """Args: said: its shape; channels, reductions: of the UNet's skips, first to last (reductions begin at 1)."""
        super().__init__()
        widths = said.stem
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1), nn.SiLU()]
        for before, width in pairwise(widths):
            layers += [nn.Conv2d(before, before, 3, padding=1), nn.SiLU()]
            layers += [nn.Conv2d(before, width, 3, padding=1, stride=2), nn.SiLU()]
        self.stem = nn.Sequential(*layers[:-1])
        self.hints = nn.ModuleList()
        self.tuners = nn.ModuleList(ScTuner(width, said.ratio) for width in channels)
        before, reduced = widths[-1], 1
        for width, reduction in zip(channels, reductions, strict=True):
            conv = nn.Conv2d(before, width, said.kernel, padding=said.kernel // 2, stride=reduction // reduced)
            nn.init.zeros_(conv.weight)
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
            self.hints.append(conv)
            before, reduced = width, reduction

    def forward(self, skips: Sequence[torch.Tensor], image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The edited skips.

        Args:
            skips: Of the UNet, first to last.
            image: (B, 3, H, W) in [0, 1].
        """
        hint, edited = self.stem(image), []
        for skip, conv, tuner in zip(skips, self.hints, self.tuners, strict=True):
            hint = conv(functional.silu(hint))
            edited.append(tuner(skip, hint))
        return tuple(edited)
