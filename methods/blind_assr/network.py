"""The blind arbitrary-scale networks: E and M as they are trained first, then the SR network that z modulates.

Source: the blind arbitrary-scale paper, section 3; with `implicit` off the SR part is the LTE baseline, the same class.
"""

from __future__ import annotations

import torch
from torch import nn

from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.haar import CHANNELS, encoder_input
from methods.blind_assr.kernels import KernelEstimator
from methods.blind_assr.representation import DegradationEncoder, SimSiamHead
from methods.blocks.arbsr import DEFAULT_CHUNK, ArbSR
from methods.blocks.coordinates import Size


class RepresentationNetwork(nn.Module):
    """Stage 1: E with SimSiam's head, and M."""

    def __init__(self, architecture: BlindArchitecture | None = None) -> None:
        super().__init__()
        self.architecture = arch = architecture if architecture is not None else BlindArchitecture()
        self.encoder = DegradationEncoder(CHANNELS[arch.wavelet], arch.encoder)
        self.estimator = KernelEstimator(arch.z, arch.estimator)
        self.simsiam = SimSiamHead(arch.z, arch.head)

    def representation(self, lr: torch.Tensor) -> torch.Tensor:
        """z, before the projector; (B, 3, h, w) in [0, 1] -> (B, D)."""
        return self.encoder(encoder_input(lr, self.architecture.wavelet))


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
    def representation(self, lr: torch.Tensor, *, crops: int = 1) -> torch.Tensor:
        """z of LR images.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            crops: 1: of the whole image; n: the mean over n x n parts, which bounds the memory. [inferred]
        Returns:
            (B, D).
        """
        if crops == 1:
            return self.encoder(encoder_input(lr, self.architecture.wavelet))
        parts = [part for rows in lr.tensor_split(crops, dim=-2) for part in rows.tensor_split(crops, dim=-1)]
        return torch.stack([self.representation(part) for part in parts]).mean(dim=0)

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
        crops: int = 1,
        signed: bool = False,
    ) -> torch.Tensor:
        """The whole image; z is always that of the whole LR image, whatever the tile.

        Args:
            lr: (B, 3, h, w) in [0, 1].
            size: (H, W) of the result.
            chunk, cell, tile: As in `ArbSR.upsample`.
            crops: As in `representation`.
            signed: Give E the image in [-1, 1], as the release's evaluation does (its training does not).
        Returns:
            (B, 3, H, W), nominally in [-1, 1], not clipped.
        """
        gains = None
        if self.modulation is not None:
            gains = self.gains(self.representation(lr * 2 - 1 if signed else lr, crops=crops))
        return self.sr.upsample(lr * 2 - 1, size, gains=gains, chunk=chunk, cell=cell, tile=tile)
