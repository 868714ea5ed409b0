"""The diffusion: noising, the start from LR, and DDIM or DDPM steps; all of it in float32.

Source: DDIM (Song et al. 2021), DDPM (Ho et al. 2020), v-prediction (Salimans and Ho 2022), SeeSR's start from the LR
embedding, which CasSR section 4.1 cites. Timesteps are spaced "trailing", so that the first is 999.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch

from methods.blocks.schedule import alpha_bars, cosine_alpha_bars

Prediction = Literal["epsilon", "v", "sample"]
Sampler = Literal["ddim", "ddpm"]
STEPS = 1000


class Diffusion:
    """A schedule, and what a network predicts under it.

    Attributes:
        alphas: (1000,) float64, the share of the signal's variance at each step.
        prediction: What the network gives.
    """

    def __init__(self, schedule: Literal["cosine", "stable-diffusion"], prediction: Prediction) -> None:
        self.alphas = torch.tensor(cosine_alpha_bars() if schedule == "cosine" else alpha_bars(), dtype=torch.float64)
        self.prediction: Prediction = prediction

    def signal_and_noise(self, t: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The factors of the clean latent and of the noise, float32, (B, 1, 1, 1).

        Args:
            t: (B,) int64.
            like: A tensor on the device that they are for.
        """
        kept = self.alphas.to(like.device)[t.to(like.device)].reshape(-1, 1, 1, 1)
        return kept.sqrt().float(), (1 - kept).sqrt().float()

    def noised(self, z0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """z_t of the forward process; also the start of sampling, where z0 is the LR image's latent."""
        a, s = self.signal_and_noise(t, z0)
        return a * z0.float() + s * noise.float()

    def target(self, z0: torch.Tensor, noise: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """What the network should predict."""
        if self.prediction == "epsilon":
            return noise
        if self.prediction == "sample":
            return z0
        a, s = self.signal_and_noise(t, z0)
        return a * noise - s * z0

    def parts(self, z: torch.Tensor, predicted: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean latent and the noise that a prediction means, float32.

        Args:
            z: (B, C, h, w), z_t.
            predicted: The same shape.
            t: (B,).
        """
        a, s = self.signal_and_noise(t, z)
        z, predicted = z.float(), predicted.float()
        if self.prediction == "epsilon":
            return (z - s * predicted) / a, predicted
        if self.prediction == "sample":
            return predicted, (z - a * predicted) / s
        return a * z - s * predicted, a * predicted + s * z

    def step(
        self,
        z: torch.Tensor,
        predicted: torch.Tensor,
        t: int,
        before: int,
        drawn: Callable[[], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """One step towards the clean latent.

        Args:
            z, predicted: (B, C, h, w) at step t.
            t, before: Steps; before is -1 at the end, where the clean latent itself is returned.
            drawn: Noise for DDPM's step; None: DDIM with eta = 0.
        """
        clean, noise = self.parts(z, predicted, torch.tensor([t]))
        if before < 0:
            return clean
        now, then = float(self.alphas[t]), float(self.alphas[before])
        # DDIM Eq. 12, 16: eta = 1 is DDPM's ancestral step over the steps that are taken
        spread = math.sqrt((1 - then) / (1 - now) * (1 - now / then)) if drawn is not None else 0.0
        moved = math.sqrt(then) * clean + math.sqrt(max(1 - then - spread**2, 0.0)) * noise
        return moved if drawn is None else moved + spread * drawn().to(z.device)


def timesteps(steps: int) -> list[int]:
    """So many steps, the first 999, evenly down ("trailing").

    >>> timesteps(4)
    [999, 749, 499, 249]
    """
    return [round(STEPS - number * STEPS / steps) - 1 for number in range(steps)]


class Noise:
    """Standard normal noise of several images, each from a generator of its own on the CPU.

    It is the same on every device, and the same for an image whatever others are sampled with it.
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, ...], device: torch.device) -> None:
        """Args: seeds: one per image; shape: (C, h, w) of an image; device: where the noise is needed."""
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape, self._device = shape, device

    def __call__(self) -> torch.Tensor:
        """(B, C, h, w) float32."""
        return torch.stack([torch.randn(self._shape, generator=each) for each in self._generators]).to(self._device)


def denoise(
    diffusion: Diffusion,
    z: torch.Tensor,
    predict: Callable[[torch.Tensor, int], torch.Tensor],
    *,
    steps: int,
    sampler: Sampler,
    noise: Noise,
) -> torch.Tensor:
    """The whole way down.

    Args:
        diffusion: Schedule and prediction.
        z: (B, C, h, w), float32, at step 999.
        predict: (z_t, t) -> what the network predicts.
        steps: How many.
        sampler: DDIM draws nothing more.
        noise: For DDPM.
    Returns:
        The clean latent, (B, C, h, w) float32.
    """
    taken = timesteps(steps)
    for t, before in zip(taken, [*taken[1:], -1], strict=True):
        z = diffusion.step(z, predict(z, t), t, before, noise if sampler == "ddpm" else None)
    return z
