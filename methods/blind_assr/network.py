"""The blind arbitrary-scale networks: E and M as they are trained first, then the SR network that z modulates.

Source: the blind arbitrary-scale paper, section 3; with `implicit` off the SR part is the LTE baseline, the same class.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from methods.blind_assr.architecture import BlindArchitecture, Wavelet
from methods.blind_assr.haar import CHANNELS, encoder_input
from methods.blind_assr.kernels import KernelEstimator
from methods.blind_assr.representation import DegradationEncoder, SimSiamHead
from methods.blocks.arbsr import DEFAULT_CHUNK, ArbSR
from methods.blocks.coordinates import Size

_WINDOWS_AT_ONCE = 64
"""Windows that E sees in one pass."""
_WINDOWS_PER_AXIS = 24
"""At most so many windows along an axis; a larger image is sampled by them, evenly."""


class RepresentationNetwork(nn.Module):
    """Stage 1: E with SimSiam's head, and M."""

    def __init__(self, architecture: BlindArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else BlindArchitecture()
        self.encoder = DegradationEncoder(CHANNELS[arch.wavelet], arch.encoder)
        self.estimator = KernelEstimator(arch.z, arch.estimator)
        self.simsiam = SimSiamHead(arch.z, arch.head)
        self.moments = nn.Linear(arch.z, 3) if arch.moments else None

    def representation(self, lr: torch.Tensor, *, window: int = 0) -> torch.Tensor:
        """z, before the projector; (B, 3, h, w) in [0, 1] -> (B, D). `window` as in `BlindASSR.representation`."""
        return _mean_z(self.encoder, lr, self.architecture.wavelet, window)


class Modulation(nn.Module):
    """Channel gains for every residual block: sigmoid(W2 LeakyReLU(W1 z)), each block with its own pair."""

    def __init__(self, z: int, hidden: int, *, blocks: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(z, hidden), nn.LeakyReLU(0.01), nn.Linear(hidden, width), nn.Sigmoid())
            for _ in range(blocks)
        )

    def forward(self, z: torch.Tensor) -> list[torch.Tensor]:
        """Args: z: (B, D); returns one (B, width) in (0, 1) per block."""
        return [block(z) for block in self.blocks]


class BlindASSR(nn.Module):
    """Stage 2 and inference: E (and, for the cycle, M) frozen, and the SR network."""

    def __init__(self, architecture: BlindArchitecture | None = None, *, frozen_mode: bool = True) -> None:
        """Args: architecture: its shape; frozen_mode: keep E and M in evaluation mode while training. [inferred] The
        release does not, so that the statistics of their batch normalisation drift."""
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else BlindArchitecture()
        self.frozen_mode = frozen_mode
        self.sr = ArbSR(arch.sr)  # first, so that one seed starts it and the LTE baseline alike
        self.modulation = (
            Modulation(arch.z, arch.modulation, blocks=arch.sr.blocks, width=arch.sr.width) if arch.implicit else None
        )
        self.encoder = DegradationEncoder(CHANNELS[arch.wavelet], arch.encoder).requires_grad_(False)
        self.estimator = KernelEstimator(arch.z, arch.estimator).requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> BlindASSR:
        """As usual, except for the frozen parts."""
        super().train(mode)
        if self.frozen_mode:
            self.encoder.eval()
            self.estimator.eval()
        return self

    @torch.no_grad()
    def representation(self, lr: torch.Tensor, *, window: int | None = None) -> torch.Tensor:
        """z of LR images.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            window: 0: E sees the whole image; n: z is the mean over windows of side n that cover the image (all of it
                where it is smaller), which also bounds the memory; None: as the architecture says.
        Returns:
            (B, D).
        """
        side = self.architecture.z_window if window is None else window
        return _mean_z(self.encoder, lr, self.architecture.wavelet, side)

    @torch.no_grad()
    def kernel(self, z: torch.Tensor) -> torch.Tensor:
        """The LR-space kernel that M reads from z; (B, D) -> (B, 1, 21, 21)."""
        return self.estimator(z)

    def gains(self, z: torch.Tensor) -> list[torch.Tensor] | None:
        """What z multiplies onto the residual branches; None without implicit representation."""
        return None if self.modulation is None else self.modulation(z)

    def upsample(
        self,
        lr: torch.Tensor,
        size: Size,
        *,
        chunk: int = DEFAULT_CHUNK,
        cell: torch.Tensor | None = None,
        tile: int | None = None,
        window: int | None = None,
        signed: bool = False,
    ) -> torch.Tensor:
        """The whole image; z is always that of the whole LR image, whatever the tile.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            size: (H, W) of the result.
            chunk, cell, tile: As in `ArbSR.upsample`.
            window: As in `representation`.
            signed: Give E the image in [-1, 1], as the release's evaluation does (its training does not).
        Returns:
            (B, 3, H, W), nominally in [-1, 1], not clipped.
        """
        gains = None
        if self.modulation is not None:
            gains = self.gains(self.representation(lr * 2 - 1 if signed else lr, window=window))
        return self.sr.upsample(lr * 2 - 1, size, gains=gains, chunk=chunk, cell=cell, tile=tile)


def _mean_z(encoder: DegradationEncoder, lr: torch.Tensor, wavelet: Wavelet, side: int) -> torch.Tensor:
    if side == 0:
        return encoder(encoder_input(lr, wavelet))
    rows, columns = (min(side, length) for length in lr.shape[-2:])
    places = [(top, left) for top in _starts(lr.shape[-2], rows) for left in _starts(lr.shape[-1], columns)]
    total = torch.zeros_like(lr[:, 0, 0, :1])
    for first in range(0, len(places), _WINDOWS_AT_ONCE):
        some = places[first : first + _WINDOWS_AT_ONCE]
        parts = torch.stack([lr[..., top : top + rows, left : left + columns] for top, left in some])
        z = encoder(encoder_input(parts.flatten(0, 1), wavelet))
        total = total + z.unflatten(0, (len(some), -1)).sum(dim=0)
    return total / len(places)


def _starts(length: int, side: int) -> list[int]:
    """Where windows of `side` begin: from border to border, overlapping by about half, at most 24 of them."""
    count = min(max(2 * math.ceil(length / side) - 1, 1), _WINDOWS_PER_AXIS) if length > side else 1
    return sorted({round(i * (length - side) / max(count - 1, 1)) for i in range(count)})
