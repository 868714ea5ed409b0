"""The network of a stage: the frozen prior, the two encoders, the denoiser, and the residual domain between them.

Source: CasArbi, sections III-A (residual images against a pretrained network), IV-B and V-A2 (encoders, adapter).
Images are in [-1, 1] here; residuals are multiplied by a gain, so that their spread is about 1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from bench.api import Size
from methods.blocks.arbsr import DEFAULT_CHUNK
from methods.blocks.edsr import EDSRBody, conv3
from methods.blocks.resample import resample
from methods.casarbi.architecture import CasArbiArchitecture
from methods.casarbi.coordinates import CoordinateEncoder, coord_map
from methods.casarbi.diffusion import EtaSchedule, ResidualShift
from methods.casarbi.unet import Down, TimeScaleEmbedding, UNet
from methods.liif.network import LIIFNetwork

Span = tuple[int, int]
_COLOURS = 3
"""Of a residual: the first channels of what the denoiser is shown."""


class Still(NamedTuple):
    """What the steps of a stage share, on the padded canvas or tile.

    Attributes:
        head: (B, base, H, W), the features' part of the first convolution, with its bias.
        coordinates: (B or 1, base, H, W), encoded; None without an adapter.
    """

    head: torch.Tensor
    coordinates: torch.Tensor | None


class Denoiser(nn.Module):
    """f: predicts the HR residual from the noisy one, the features of both encoders, coordinates, step and scale."""

    def __init__(self, arch: CasArbiArchitecture) -> None:
        super().__init__()
        self.base, self.frame = arch.base, arch.coord_frame
        self.multiple = 2 ** (len(arch.mult) - 1)
        width = 4 * arch.base
        self.head = conv3(3 + arch.lr_encoder.width + arch.hr_encoder.width, arch.base)
        self.embedding = TimeScaleEmbedding(arch.base)
        adapted = arch.coord_adapter
        self.coordinates = CoordinateEncoder(arch.octaves, arch.base) if adapted else None
        self.adapter = Down(arch.base, arch.mult, arch.blocks, width, modulated=False) if adapted else None
        self.unet = UNet(
            arch.base, arch.mult, arch.blocks, embedding=width, attention=arch.attention, modulated=adapted
        )

    def forward(
        self,
        r: torch.Tensor,
        lr_features: torch.Tensor,
        hr_features: torch.Tensor,
        t: torch.Tensor,
        scale: torch.Tensor,
        *,
        place: tuple[Size, Span, Span] | None = None,
    ) -> torch.Tensor:
        """The predicted r0.

        Args:
            r: (B, 3, H, W), r_t as `ResidualShift.normalised` gives it.
            lr_features, hr_features: (B, C, H, W) each.
            t: (B,) in 1..T.
            scale: (B,), of the stage.
            place: For a part of an image: (H, W) of the whole and the part's rows and columns. It counts where
                coordinates span the image; elsewhere the part spans [-1, 1].
        Returns:
            (B, 3, H, W). [inferred] Sides that the levels do not divide are reflected at the right and bottom while
            coordinates go on beyond 1, and the result is cut.
        """
        return self.step(r, self.still(lr_features, hr_features, place=place), t, scale)

    def still(
        self, lr_features: torch.Tensor, hr_features: torch.Tensor, *, place: tuple[Size, Span, Span] | None = None
    ) -> Still:
        """What all steps share: the first convolution is linear, and the features' part of it does not change.

        Args:
            lr_features, hr_features, place: As in `forward`.
        """
        height, width = lr_features.shape[-2:]
        down, across = self._missing(height, width)
        features = self._padded(torch.cat((lr_features, hr_features), dim=1))
        head = functional.conv2d(features, self.head.weight[:, _COLOURS:], self.head.bias, padding=1)
        if self.coordinates is None:
            return Still(head, None)
        size, (top, bottom), (left, right) = (height, width), (0, height), (0, width)
        if self.frame == "image" and place is not None:
            size, (top, bottom), (left, right) = place
        coord = coord_map(size, rows=(top, bottom + down), columns=(left, right + across), device=head.device)
        return Still(head, self.coordinates(coord.to(head.dtype)))

    def step(self, r: torch.Tensor, still: Still, t: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        """As `forward`, with what `still` returned."""
        height, width = r.shape[-2:]
        shown = functional.conv2d(self._padded(r), self.head.weight[:, :_COLOURS], padding=1)
        features = shown + still.head
        embedding = self.embedding(t, scale)
        conditions = None
        if still.coordinates is not None and self.adapter is not None:
            conditions, _ = self.adapter(features + still.coordinates, embedding)
        return self.unet(features, embedding, conditions)[..., :height, :width]

    def _missing(self, height: int, width: int) -> tuple[int, int]:
        return -height % self.multiple, -width % self.multiple

    def _padded(self, maps: torch.Tensor) -> torch.Tensor:
        height, width = maps.shape[-2:]
        down, across = self._missing(height, width)
        if not (down or across):
            return maps
        return functional.pad(
            maps, (0, across, 0, down), "reflect" if down < height and across < width else "replicate"
        )


class CasArbi(nn.Module):
    """Everything that a stage needs; `cascade.upscale` runs it."""

    gain: torch.Tensor

    def __init__(self, architecture: CasArbiArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else CasArbiArchitecture()
        said = arch.schedule
        self.shift = ResidualShift(EtaSchedule(said.steps, p=said.p, kappa=said.kappa, m=said.m, end=said.end))
        self.prior = LIIFNetwork(arch.prior).requires_grad_(False)
        self.lr_encoder = EDSRBody(blocks=arch.lr_encoder.blocks, width=arch.lr_encoder.width)
        self.hr_encoder = EDSRBody(blocks=arch.hr_encoder.blocks, width=arch.hr_encoder.width)
        self.denoiser = Denoiser(arch)
        self.register_buffer("gain", torch.ones(()))
        self.train(self.training)

    def train(self, mode: bool = True) -> CasArbi:
        """As usual, but the prior stays in evaluation mode."""
        super().train(mode)
        self.prior.eval()
        return self

    @torch.no_grad()
    def anchor(
        self, y: torch.Tensor, size: Size, *, chunk: int = DEFAULT_CHUNK, tile: int | None = None
    ) -> torch.Tensor:
        """u: the prior's image; (B, 3, h, w) -> (B, 3, H, W), both in [-1, 1]."""
        return self.prior.upsample(y, size, chunk=chunk, tile=tile).clamp_(-1, 1)

    def residual(self, image: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """An image as a residual against u, in gained units."""
        return self.gain * (image - u) if self.architecture.residual_domain else self.gain * image

    def image(self, residual: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """The inverse of `residual`."""
        return u + residual / self.gain if self.architecture.residual_domain else residual / self.gain

    def lr_residual(self, y: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
        """l0: the bicubic enlargement of y as a residual; 0 without `residual_shift`."""
        if not self.architecture.residual_shift:
            return torch.zeros_like(u)
        return self.residual(resample(y, (u.shape[-2], u.shape[-1])), u)
