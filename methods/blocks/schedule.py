"""Noise schedules of 1000 steps: the share of the signal's variance that is left at each."""

from __future__ import annotations

import math

_SD_BETAS = (0.00085, 0.012)
"""Stable Diffusion's schedule: the roots of the betas are linear over 1000 steps."""


def alpha_bar(step: int) -> float:
    """The share of the signal that Stable Diffusion's schedule leaves at a step; 0.0046601 at 999."""
    first, last = (math.sqrt(beta) for beta in _SD_BETAS)
    return math.prod(1 - (first + (last - first) * number / 999) ** 2 for number in range(step + 1))
