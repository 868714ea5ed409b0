"""Self-consistency guidance: a gradient step that makes a prediction agree with what it is to be an enlargement of.

Source: CasArbi, section IV-A2 (Eq. 8, 9). The loss is the squared norm of D(x) - reference, summed over the pixels
[inferred]; its gradient is 2 D'(D(x) - reference), with D the antialiased bicubic of `resample`.
"""

from __future__ import annotations

from typing import Literal

import torch

from methods.blocks.resample import adjoint, resample
from methods.casarbi.plan import stage_scale

Guidance = Literal["off", "lr", "prev"]
"""Agree with nothing, with the LR image that the cascade began with, or with the stage before (the paper's)."""


def step_size(rho: float, scale: float) -> float:
    """lambda = rho s^2 / 2. [inferred] D D' is about 1 / s^2, so rho = 1 is the largest step without overshoot."""
    return rho * scale**2 / 2


def guided(image: torch.Tensor, reference: torch.Tensor, *, rho: float) -> torch.Tensor:
    """One step on ||D(image) - reference||^2.

    Args:
        image: (B, C, H, W), a clean prediction.
        reference: (B, C, h, w), what it should be when it is reduced.
        rho: Share of the largest step without overshoot; up to 1.98 the loss never rises. 0: the image itself.
    Returns:
        (B, C, H, W), not clipped.
    """
    if rho == 0:
        return image
    size = (image.shape[-2], image.shape[-1])
    small = (reference.shape[-2], reference.shape[-1])
    off = resample(image, small) - reference
    return image - 2 * step_size(rho, stage_scale(small, size)) * adjoint(off, size)
