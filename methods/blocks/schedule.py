"""Noise schedules of 1000 steps: the share of the signal's variance that is left at each."""

from __future__ import annotations

import math

_SD_BETAS = (0.00085, 0.012)
"""Stable Diffusion's schedule: the roots of the betas are linear over 1000 steps."""


def alpha_bar(step: int) -> float:
    """The share of the signal that Stable Diffusion's schedule leaves at a step; 0.0046601 at 999."""
    return alpha_bars()[step]


def alpha_bars() -> list[float]:
    """`alpha_bar` of the steps 0 to 999."""
    first, last = (math.sqrt(beta) for beta in _SD_BETAS)
    return _products([(first + (last - first) * number / 999) ** 2 for number in range(1000)])


def cosine_alpha_bars() -> list[float]:
    """The cosine schedule (Nichol and Dhariwal 2021, Eq. 17) at the steps 0 to 999, its betas at most 0.999."""

    def share(time: float) -> float:
        return math.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2

    return _products([min(1 - share((number + 1) / 1000) / share(number / 1000), 0.999) for number in range(1000)])


def _products(betas: list[float]) -> list[float]:
    found, kept = [], 1.0
    for beta in betas:
        kept *= 1 - beta
        found.append(kept)
    return found
