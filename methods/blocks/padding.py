"""Padding by mirroring to any size, also where an image is smaller than what it lacks (torch's reflect is refused)."""

from __future__ import annotations

import torch

from bench.api import Size


def mirrored(image: torch.Tensor, size: Size) -> torch.Tensor:
    """Go on at the bottom and right by mirroring about the border pixels, to and fro where that is needed.

    Args:
        image: (..., h, w).
        size: (H, W), on no axis below (h, w).
    Returns:
        (..., H, W); the first h rows and w columns are the image. Gradients flow.
    Raises:
        ValueError: a size below that of the image.
    """
    height, width = image.shape[-2:]
    if size[0] < height or size[1] < width:
        raise ValueError(f"cannot pad {height} x {width} to {size[0]} x {size[1]}")
    if size == (height, width):
        return image
    rows, columns = (_walk(length, out, image.device) for length, out in zip((height, width), size, strict=True))
    return image.index_select(-2, rows).index_select(-1, columns)


def mirrored_before(image: torch.Tensor, offset: tuple[int, int]) -> torch.Tensor:
    """Begin earlier at the top and left by so many rows and columns, mirrored as by `mirrored`."""
    if offset == (0, 0):
        return image
    size = image.shape[-2] + offset[0], image.shape[-1] + offset[1]
    return mirrored(image.flip((-2, -1)), size).flip((-2, -1))


def to_multiple(size: Size, multiple: int, *, smallest: int = 1) -> Size:
    """The least size of at least `size` and `smallest` on each axis whose sides are multiples."""
    return next_multiple(max(size[0], smallest), multiple), next_multiple(max(size[1], smallest), multiple)


def next_multiple(length: int, multiple: int) -> int:
    """The least multiple that is not below a length."""
    return -(-length // multiple) * multiple


def _walk(length: int, out: int, device: torch.device) -> torch.Tensor:
    """0, 1, ..., length - 1, length - 2, ..., 1, 0, 1, ... up to `out` places."""
    places = torch.arange(out, device=device)
    if length == 1:
        return torch.zeros_like(places)
    there = places % (2 * (length - 1))
    return torch.minimum(there, 2 * (length - 1) - there)
