"""Stage 1 of the training: E by contrast between crops, M by the kernels of Eq. 4, together.

Source: the blind arbitrary-scale paper, sections 3.1, 3.2 and 3.5; optimiser and iterations as tagged in the
configurations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from bench.api import derive_seed
from bench.training.config import TrainConfig
from bench.training.degraded import DegradedConfig, DegradedPatch, draw_degraded
from bench.training.task import Batch, TrainingTask
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.kernels import KERNEL_SIZE, apply_kernels, check_border, second_moments
from methods.blind_assr.network import RepresentationNetwork
from methods.blind_assr.training.contrastive import contrastive_loss, spread
from methods.blind_assr.training.target import (
    FFT_TARGETS,
    KernelTarget,
    analytic_kernel,
    fft_kernel,
    hr_kernel,
    weighted_l1,
)
from methods.blocks.sampled import shared_draws, to_tensor

_CHECKED = 200
"""Fixed patches on which kernels are judged while training."""


class RepresentationConfig(TrainConfig):
    """The training of E and M."""

    architecture: BlindArchitecture = BlindArchitecture()
    data: DegradedConfig = DegradedConfig()
    kl_target: KernelTarget = "fft_paper"
    """What M learns; "kh" is the paper's kernel-space study."""
    epsilon: float | None = Field(default=None, ge=0)
    """Of Eq. 4; null: the variant's."""
    n_zero: int | None = Field(default=None, ge=0)
    """Rank of the tap that Eq. 4's threshold is taken from; null: 5 % of the taps."""
    kernel_size: Literal["own", "fixed"] = "fixed"
    """Side of Eq. 4's crop: that of each sample's k_h, or 21 always. [inferred]"""
    kernel_loss_weight: float | None = Field(default=None, gt=0)
    """Of every tap in L_k; null: 200 and 100 as in the release; 1: the paper's formula."""
    moment_loss_weight: float = Field(default=1.0, gt=0)
    """Of the mean absolute error of the second moments, where `architecture.moments` asks for them."""
    contrastive: bool = True
    """False: L_k alone."""
    train_projector: bool = True
    """[inferred] SimSiam trains it; in the release it is left as initialised."""

    @model_validator(mode="after")
    def _kernels_fit(self) -> RepresentationConfig:
        side, sizes = self.data.lr_patch, self.data.kernel_sizes
        if self.kl_target in FFT_TARGETS and side < KERNEL_SIZE:
            raise ValueError(f"lr_patch {side} is smaller than Eq. 4's kernel of {KERNEL_SIZE}")
        check_border(side)
        if max(sizes) > KERNEL_SIZE:
            raise ValueError(f"M gives kernels of {KERNEL_SIZE}; kernel_sizes has {max(sizes)}")
        taps = (min(sizes) if self.kernel_size == "own" else KERNEL_SIZE) ** 2
        if self.n_zero is not None and self.n_zero >= taps:
            raise ValueError(f"n_zero ranks one of the {taps} taps of the smallest kernel, got {self.n_zero}")
        return self


class RepresentationTask(TrainingTask[RepresentationConfig]):
    """E, M and SimSiam's head on the shared loop."""

    method = "blind_assr"
    stage = "representation"
    scores_images = False
    Config: ClassVar[type[TrainConfig]] = RepresentationConfig
    configs = Path(__file__).parents[1] / "configs"
    _fixed: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None

    def network(self) -> RepresentationNetwork:
        """The networks of `config.architecture`."""
        network = RepresentationNetwork(self.config.architecture)
        network.simsiam.projector.requires_grad_(self.config.train_projector)
        return network

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """first, second (B, 3, p, p) in [0, 1]: crops of one degradation; kernel (B, 1, 21, 21): of the first."""
        config = self.config
        shared = shared_draws(config.data, seed=config.seed, step=step, batch=config.batch)
        pairs = [draw_degraded(self.pool, config.data, rng, crops=2, shared=shared) for _ in range(config.batch)]
        return {
            "first": torch.stack([to_tensor(first.lr) for first, _ in pairs]),
            "second": torch.stack([to_tensor(second.lr) for _, second in pairs]),
            "kernel": self.target([first for first, _ in pairs]).float(),
        }

    def target(self, patches: list[DegradedPatch]) -> torch.Tensor:
        """What M should say of each patch; (B, 1, 21, 21) float64."""
        config = self.config
        if config.kl_target == "kh":
            return torch.stack([hr_kernel(patch.degradation.blur) for patch in patches])
        if config.kl_target == "analytic":
            return torch.stack([analytic_kernel(patch.degradation.blur, patch.scale) for patch in patches])
        return torch.cat([self._fft_target(patch) for patch in patches])

    def _fft_target(self, patch: DegradedPatch) -> torch.Tensor:
        config = self.config
        size = patch.degradation.blur.size if config.kernel_size == "own" else KERNEL_SIZE
        sharp, lr = to_tensor(patch.sharp_lr())[None], to_tensor(patch.lr)[None]
        return fft_kernel(sharp, lr, target=config.kl_target, size=size, epsilon=config.epsilon, zeros=config.n_zero)

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """L_cl, L_k and, where the architecture says so, that of the moments; `q_spread` is the collapse watch."""
        if not isinstance(network, RepresentationNetwork):
            raise TypeError(f"expected a RepresentationNetwork, got {type(network).__name__}")
        count = batch["first"].shape[0]
        # one call, so that batch normalisation sees both crops alike
        z = network.representation(torch.cat((batch["first"], batch["second"])))
        found = {
            "loss_kernel": weighted_l1(
                network.estimator(z[:count]), batch["kernel"], weight=self.config.kernel_loss_weight
            )
        }
        if network.moments is not None:
            wide = functional.l1_loss(network.moments(z[:count]), second_moments(batch["kernel"]))
            found["loss_moments"] = self.config.moment_loss_weight * wide
        if self.config.contrastive:
            q, p = network.simsiam(z)
            found["loss_contrastive"] = contrastive_loss(q[:count], p[:count], q[count:], p[count:])
            found["q_spread"] = spread(q.detach())
        return found

    def checks(self, network: nn.Module) -> dict[str, float]:
        """`kernel_figures` on fixed patches."""
        if not isinstance(network, RepresentationNetwork):
            raise TypeError(f"expected a RepresentationNetwork, got {type(network).__name__}")
        device = next(network.parameters()).device
        if self._fixed is None:
            self._fixed = self._draw_fixed()
        first, sharp, kernel = (each.to(device) for each in self._fixed)
        z = network.representation(first)
        return kernel_figures(network.estimator(z), kernel, sharp, first)

    def _draw_fixed(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng(derive_seed(self.config.seed, "kernel-checks"))
        patches = [draw_degraded(self.pool, self.config.data, rng)[0] for _ in range(_CHECKED)]
        first = torch.stack([to_tensor(patch.lr) for patch in patches])
        sharp = torch.stack([to_tensor(patch.sharp_lr()) for patch in patches])
        return first, sharp, self.target(patches).float()

    def architecture(self) -> dict[str, Any]:
        """The fields of `BlindArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def kernel_figures(
    estimated: torch.Tensor, target: torch.Tensor, sharp: torch.Tensor, lr: torch.Tensor
) -> dict[str, float]:
    """How good kernels are.

    Args:
        estimated, target: (B, 1, 21, 21).
        sharp, lr: (B, 3, h, w), reduced without and with blur.
    Returns:
        kernel_psnr: mean over the kernels, in dB, against the target's largest tap; kernel_l1: mean sum of absolute
        differences; kernel_direction: correlation of the parts of `second_moments` that direction makes, 0 for round
        or constant kernels; reblur_error: median of |sharp * k - lr| / |sharp - lr|; reblur_psnr: mean in dB, of [0, 1]
        images.
    """
    mse = ((estimated - target) ** 2).mean(dim=(-3, -2, -1)).clamp_min(1e-12)
    peak = target.amax(dim=(-3, -2, -1))
    reblurred = apply_kernels(sharp, estimated)
    away = functional.l1_loss(sharp, lr, reduction="none").mean(dim=(-3, -2, -1)).clamp_min(1e-6)
    left = functional.l1_loss(reblurred, lr, reduction="none").mean(dim=(-3, -2, -1))
    error = ((reblurred - lr) ** 2).mean(dim=(-3, -2, -1)).clamp_min(1e-10)
    return {
        "kernel_psnr": float((10 * torch.log10(peak**2 / mse)).mean()),
        "kernel_l1": float((estimated - target).abs().sum(dim=(-3, -2, -1)).mean()),
        "kernel_direction": _correlation(second_moments(estimated)[:, 1:], second_moments(target)[:, 1:]),
        "reblur_error": float((left / away).median()),
        "reblur_psnr": float((-10 * torch.log10(error)).mean()),
    }


def _correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = (each - each.mean(dim=0) for each in (a, b))
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-12))
