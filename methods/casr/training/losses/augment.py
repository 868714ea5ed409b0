"""Differentiable augmentation of what a critic sees, drawn from a generator of its own.

Source: DiffAugment (Zhao et al. 2020, arXiv 2006.10738): colour, translation, cutout. Draws are made on the CPU, so a
step's augmentation is the same on every device and after every resume.
"""

from __future__ import annotations

import torch
from torch.nn import functional

_TRANSLATION = 1 / 8
_CUTOUT = 1 / 2


def augmented(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Shift brightness, saturation and contrast, then translate, then cut a rectangle out; each image on its own.

    Args:
        images: (B, 3, H, W), nominally in [-1, 1].
        rng: On the CPU.
    Returns:
        Alike; translation and cutout leave zeros.
    """
    return cut_out(translated(coloured(images, rng), rng), rng)


def coloured(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Brightness + U(-1/2, 1/2), saturation x U(0, 2), contrast x U(1/2, 3/2)."""
    brightness, saturation, contrast = torch.rand((3, images.shape[0], 1, 1, 1), generator=rng).to(images)
    images = images + (brightness - 0.5)
    images = torch.lerp(images.mean(dim=1, keepdim=True), images, 2 * saturation)
    return torch.lerp(images.mean(dim=(1, 2, 3), keepdim=True), images, contrast + 0.5)


def translated(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Move by up to an eighth of each side; zeros come in."""
    count, _, height, width = images.shape
    most = [round(length * _TRANSLATION) for length in (height, width)]
    padded = functional.pad(images, (most[1], most[1], most[0], most[0]))
    tops, lefts = (torch.randint(2 * each + 1, (count,), generator=rng).tolist() for each in most)
    windows = zip(padded, tops, lefts, strict=True)
    return torch.stack([each[:, top : top + height, left : left + width] for each, top, left in windows])


def cut_out(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Zero a rectangle of half the sides around a drawn centre; what sticks out of the image is not cut."""
    keep = torch.ones((images.shape[0], 1, *images.shape[2:]))
    sides = [round(length * _CUTOUT) for length in images.shape[2:]]
    for mask in keep:
        rows, columns = (
            (int(torch.randint(length + 1, (), generator=rng)) - side // 2, side)
            for length, side in zip(images.shape[2:], sides, strict=True)
        )
        mask[:, max(rows[0], 0) : max(sum(rows), 0), max(columns[0], 0) : max(sum(columns), 0)] = 0
    return images * keep.to(images)
