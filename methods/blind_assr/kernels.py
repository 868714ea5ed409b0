"""The explicit kernel: estimator M (a deep linear convolution made from z) and the convolution that applies kernels.

Source: the blind arbitrary-scale paper, sections 3.2 and 3.4; layer widths as in the authors' release (facts only).
A kernel here is a convolution kernel: a point becomes the kernel, unflipped (torch's conv2d correlates).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

FILTERS = (11, 7, 5, 1)
"""Sides of the four filters that are composed."""
KERNEL_SIZE = 21
"""Side of the composed kernel: 11 + 7 + 5 + 1 - 3. In the paper's words, a 41x41 delta goes 41 - 31 - 25 - 21 - 21."""


class KernelEstimator(nn.Module):
    """M: two layers that narrow z, four heads that give filters, and their composition, divided by its sum."""

    def __init__(self, width: int, hidden: tuple[int, int]) -> None:
        """Args: width: of z; hidden: of the two layers."""
        super().__init__()
        self.reduce = nn.Sequential(nn.Linear(width, hidden[0]), nn.ReLU(inplace=True), nn.Linear(hidden[0], hidden[1]))
        self.heads = nn.ModuleList(_head(hidden[1], side) for side in FILTERS)

    def filters(self, z: torch.Tensor) -> list[torch.Tensor]:
        """Args: z: (B, width); returns the four filters, (B, side, side) each."""
        narrow = self.reduce(z)
        return [head(narrow).unflatten(-1, (side, side)) for head, side in zip(self.heads, FILTERS, strict=True)]

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Args: z: (B, width); returns kernels (B, 1, 21, 21) that sum to 1; taps may be negative."""
        return normalised(compose(self.filters(z)))[:, None]


def _head(inputs: int, side: int) -> nn.Linear:
    """Makes a filter that starts near a point.

    [inferred] Around 0 its sum, a divisor, would pass through 0 too: gradients of 1e4 then silence the layers before,
    and M never leaves a constant kernel.
    """
    head = nn.Linear(inputs, side * side)
    nn.init.xavier_uniform_(head.weight, gain=0.1)
    nn.init.zeros_(head.bias)
    head.bias.data[side * side // 2] = 1.0
    return head


def compose(filters: list[torch.Tensor]) -> torch.Tensor:
    """The kernel that equals convolving with the filters one after the other.

    Args:
        filters: (B, k_i, k_i) each, odd.
    Returns:
        (B, k, k) with k = sum(k_i) - (number - 1).
    """
    batch = filters[0].shape[0]
    image = filters[0][None]
    for each in filters[1:]:
        full = each.shape[-1] - 1
        # a full convolution: correlation with the flipped filter over enough zeros
        image = functional.conv2d(image, each.flip(-2, -1)[:, None], padding=full, groups=batch)
    return image[0]


def normalised(kernels: torch.Tensor) -> torch.Tensor:
    """Kernels divided by their sums. [inferred] A sum nearer to 0 than 1e-3 is moved away from it by 1e-3.

    Args:
        kernels: (B, k, k).
    Returns:
        The same shape, each summing to 1 (where no guard was needed).
    """
    total = kernels.sum(dim=(-2, -1), keepdim=True)
    sign = torch.where(total < 0, -1.0, 1.0)
    return kernels / torch.where(total.abs() < 1e-3, total + 1e-3 * sign, total)


def second_moments(kernels: torch.Tensor) -> torch.Tensor:
    """How wide kernels are and in which direction.

    Args:
        kernels: (B, 1, k, k), each summing to 1.
    Returns:
        (B, 3) in square pixels, about the centre, x to the right and y down: (xx + yy) / 2, (xx - yy) / 2 and xy.
    """
    side = kernels.shape[-1]
    x = torch.arange(side, dtype=kernels.dtype, device=kernels.device) - side // 2
    xx, yy = kernels.sum(dim=-2) @ x**2, kernels.sum(dim=-1) @ x**2
    xy = torch.einsum("bcij,i,j->bc", kernels, x, x)
    return torch.cat(((xx + yy) / 2, (xx - yy) / 2, xy), dim=1)


def apply_kernels(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Convolve each image with its own kernel, borders reflected without repeating the edge pixel.

    Args:
        images: (B, C, h, w), sides above k // 2.
        kernels: (B, 1, k, k), k odd.
    Returns:
        (B, C, h, w). Equals `bench.imaging.kernels.apply_kernel`, which makes the training data (tests hold this);
        here gradients flow and a batch has many kernels.
    """
    batch, channels = images.shape[:2]
    side = kernels.shape[-1]
    padded = functional.pad(images, (side // 2,) * 4, mode="reflect").flatten(0, 1)[None]
    weights = kernels.flip(-2, -1).repeat_interleave(channels, dim=0).to(images.dtype)
    return functional.conv2d(padded, weights, groups=batch * channels)[0].unflatten(0, (batch, channels))


def check_border(side: int) -> None:
    """Raise ValueError where a patch of this side is too small to be reflected for M's kernels."""
    if side <= KERNEL_SIZE // 2:
        raise ValueError(f"lr_patch must be above {KERNEL_SIZE // 2}, half of M's kernel, got {side}")


def centred(kernel: torch.Tensor, side: int = KERNEL_SIZE) -> torch.Tensor:
    """A smaller odd kernel in the middle of zeros; (..., k, k) -> (..., side, side).

    Raises:
        ValueError: a kernel larger than `side`, or even.
    """
    size = kernel.shape[-1]
    if size > side or size % 2 == 0:
        raise ValueError(f"expected an odd kernel of at most {side}, got {size}")
    return functional.pad(kernel, ((side - size) // 2,) * 4)
