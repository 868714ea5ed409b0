"""The reconstruction losses: squared error, and a perceptual term by LPIPS or, without its weights, by a pyramid.

Source: CASR, L_rec (lambda_1 and lambda_2); images in [-1, 1] and means over all values as in S3Diff [inferred].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch.nn import functional

from bench.api import RequestError, Unavailable
from bench.training.perceptual import load_distance

Perceptual = Literal["lpips-vgg", "lpips-alex", "laplacian"]
Distance = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Images and references, each (B, 3, H, W) in [-1, 1] -> (B,)."""

_TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_EPSILON = 1e-3


def perceptual_distance(kind: Perceptual) -> Distance:
    """The perceptual term by its name; LPIPS is a frozen module.

    Raises:
        RequestError: LPIPS without its weights; a training never falls back by itself.
    """
    if kind == "laplacian":
        return laplacian_charbonnier
    try:
        return load_distance(kind.removeprefix("lpips-"))
    except Unavailable as fault:
        raise RequestError(
            f"loss.perceptual={kind}: {fault}; loss.perceptual=lpips-alex, lpips-vgg or laplacian (needs no weights) "
            "chooses another term"
        ) from fault


def laplacian_charbonnier(images: torch.Tensor, references: torch.Tensor, *, levels: int = 4) -> torch.Tensor:
    """Charbonnier distances of Laplacian pyramids: the perceptual term where there are no LPIPS weights. [inferred]

    Args:
        images, references: (B, 3, H, W).
        levels: Bands, the last of which is what is left; fewer where a side gets below 2.
    Returns:
        (B,), sum over the bands of their mean distances; 0 for equal images.
    """
    off = images - references  # the pyramid is linear, so one of the difference will do
    total = off.new_zeros(off.shape[0])
    for level in range(levels):
        last = level == levels - 1 or min(off.shape[-2:]) < 2
        low = off if last else _blurred(off)[..., ::2, ::2]
        band = off if last else off - _enlarged(low, off)
        total = total + ((band.square() + _EPSILON**2).sqrt() - _EPSILON).mean(dim=(1, 2, 3))
        if last:
            break
        off = low
    return total


def _blurred(image: torch.Tensor) -> torch.Tensor:
    channels = image.shape[1]
    taps = image.new_tensor(_TAPS)
    padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
    rows = functional.conv2d(padded, taps[None, None, :, None].expand(channels, 1, -1, 1), groups=channels)
    return functional.conv2d(rows, taps[None, None, None, :].expand(channels, 1, 1, -1), groups=channels)


def _enlarged(low: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(low, size=like.shape[-2:], mode="bilinear", align_corners=False)
