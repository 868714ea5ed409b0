"""SSAM: the image of a cycle as superpixels at the size of the next, and its depth.

Source: CASR, section SSAM (called SDAM in the first version). Replacing textures by mean colours takes out what a
generative cycle would amplify; crisp borders let the superpixels be painted at any size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from bench.api import Size
from methods.blocks.padding import next_multiple
from methods.blocks.resample import resample
from methods.casr.architecture import SsamArchitecture
from methods.casr.ssam.assignment import choose, probabilities, region_ids, region_means, render
from methods.casr.ssam.depth import Depth
from methods.casr.ssam.slic import slic
from methods.casr.ssam.ssn import SSN

_BAND = 512
"""Rows of a large image whose superpixels are made at a time, where cells count its own pixels."""
_REACH = 128
"""Rows beyond a band that its superpixels can depend on: 108 of the network, and two cells."""


class Aligned(NamedTuple):
    """What SSAM gives to the network.

    Attributes:
        image: S, (B, 3, H, W) in [0, 1].
        depth: (B, 1, H, W) in [0, 1]; None where nobody asked or there is no depth network.
    """

    image: torch.Tensor
    depth: torch.Tensor | None


class Ssam(nn.Module):
    """Superpixels and depth, both frozen, in float32 and without gradients.

    Args:
        architecture: Which superpixels, on which grid, painted how.
        depth: The depth network; None: no depth.
    """

    def __init__(self, architecture: SsamArchitecture | None = None, depth: Depth | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else SsamArchitecture()
        self.ssn = SSN(arch.width) if arch.backend == "ssn" else None
        self.depth = depth
        self.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Ssam:
        """Always evaluates: SSAM is never trained together with the rest."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, image: torch.Tensor, size: Size, *, depth: bool = True) -> Aligned:
        """Superpixels and depth of an image at the size of the next cycle.

        Args:
            image: (B, 3, h, w) in [0, 1], the whole image.
            size: (H, W), on no axis below (h, w).
            depth: False leaves depth out.
        """
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            aligned = self.superpixels(image, size)
            return Aligned(aligned, depth_at(self.depth, image, size) if depth and self.depth is not None else None)

    @torch.no_grad()
    def superpixels(self, image: torch.Tensor, size: Size) -> torch.Tensor:
        """S: every superpixel in its mean colour; (B, 3, h, w) -> (B, 3, H, W), both float32 in [0, 1]."""
        if self.architecture.space == "lr":
            return self._painted(image, size)
        image = resample(image, size).clamp_(0, 1)
        if self.ssn is None or size[0] <= _BAND + 2 * _REACH:
            return self._painted(image, size)
        return self._in_bands(image)

    def _in_bands(self, image: torch.Tensor) -> torch.Tensor:
        """What `_painted` gives at the image's own size, band by band: memory grows with the width alone."""
        height, width = image.shape[-2:]
        unit = math.lcm(16, self.architecture.cell)  # bands begin on a whole pixel of the network's coarsest level
        band, reach = next_multiple(_BAND, unit), next_multiple(_REACH, unit)
        painted = torch.empty_like(image)
        for top in range(0, height, band):
            first, last = max(top - reach, 0), min(top + band + reach, height)
            part = self._painted(image[..., first:last, :], (last - first, width))
            painted[..., top : top + band, :] = part[..., top - first : top - first + band, :]
        return painted

    def _painted(self, image: torch.Tensor, size: Size) -> torch.Tensor:
        """Superpixels of an image, whose pixels the cells count, at a size."""
        arch = self.architecture
        own = (image.shape[-2], image.shape[-1])
        maps = self.probabilities(image)
        assigned = choose(maps, own, arch.cell)
        means = region_means(image, assigned, arch.cell)
        if arch.up in ("vector", "maps") and size != own:
            assigned = choose(maps, size, arch.cell, follow=arch.up == "vector")
        painted = render(means, region_ids(assigned, own, arch.cell))
        if painted.shape[-2:] == size:
            return painted
        if arch.up == "nearest":
            return functional.interpolate(painted, size=size, mode="nearest-exact")
        return resample(painted, size).clamp(0, 1)

    @torch.no_grad()
    def probabilities(self, image: torch.Tensor) -> torch.Tensor:
        """How likely each pixel belongs to its nine neighbours: (B, 3, h, w) -> (B, 9, h, w), 0 outside the grid."""
        n, larger = self.architecture.cell, self.architecture.input_scale
        if self.ssn is None:
            return slic(image, n)
        if larger == 1:
            return probabilities(self.ssn(image), n)
        enlarged = resample(image, (image.shape[-2] * larger, image.shape[-1] * larger)).clamp(0, 1)
        return functional.avg_pool2d(probabilities(self.ssn(enlarged), n * larger), larger)


@torch.no_grad()
def depth_at(depth: Depth, image: torch.Tensor, size: Size) -> torch.Tensor:
    """Depth of an image, enlarged bilinearly: (B, 3, h, w) in [0, 1] -> (B, 1, H, W) in [0, 1]."""
    found = depth(image.float())
    if found.shape[-2:] == size:
        return found
    return functional.interpolate(found, size=size, mode="bilinear", align_corners=False)
