"""Colour fixes: give an enlarged image the colours of the bicubic enlargement of what it was made from.

Source: StableSR's two fixes (Wang et al. 2023). CASR names none, so that the default is "none"; the reference is the
image of the cycle before, never the superpixel image. [inferred]
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional

ColourFix = Literal["none", "wavelet", "adain"]
_LEVELS = 5
_EPS = 1e-5


def fix_colours(image: torch.Tensor, reference: torch.Tensor, mode: ColourFix) -> torch.Tensor:
    """Apply a fix.

    Args:
        image: (B, C, H, W), any range.
        reference: The same shape and range.
        mode: none: the image itself; wavelet: its detail on the reference's low frequencies; adain: its channels at
            the reference's means and standard deviations.
    Returns:
        (B, C, H, W), not clipped.
    Raises:
        ValueError: shapes that differ.
    """
    if mode == "none":
        return image
    if image.shape != reference.shape:
        raise ValueError(f"expected a reference of {tuple(image.shape)}, got {tuple(reference.shape)}")
    return wavelet(image, reference) if mode == "wavelet" else adain(image, reference)


def wavelet(image: torch.Tensor, reference: torch.Tensor, *, levels: int = _LEVELS) -> torch.Tensor:
    """image - low(image) + low(reference), low being the coarsest plane of an a-trous transform; see `fix_colours`."""
    return image + low_frequencies(reference - image, levels=levels)


def low_frequencies(image: torch.Tensor, *, levels: int = _LEVELS) -> torch.Tensor:
    """What is left after blurring by (1, 2, 1) / 4 with holes of 1, 2, 4, ... pixels, borders repeated.

    Args:
        image: (B, C, H, W).
        levels: Number of blurs.
    """
    channels = image.shape[1]
    taps = image.new_tensor((0.25, 0.5, 0.25)).expand(channels, 1, 1, 3)
    for level in range(levels):
        hole = 2**level
        padded = functional.pad(image, (hole, hole, hole, hole), mode="replicate")
        across = functional.conv2d(padded, taps, dilation=hole, groups=channels)
        image = functional.conv2d(across, taps.transpose(-2, -1), dilation=hole, groups=channels)
    return image


def adain(image: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Per image and channel: the reference's mean and standard deviation; see `fix_colours`."""
    spread, mean = torch.std_mean(image, dim=(-2, -1), keepdim=True, correction=0)
    wanted_spread, wanted_mean = torch.std_mean(reference, dim=(-2, -1), keepdim=True, correction=0)
    return (image - mean) * (wanted_spread / spread.clamp_min(_EPS)) + wanted_mean
