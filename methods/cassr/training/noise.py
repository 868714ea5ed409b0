"""What both stages that predict noise share: their data, the noising of it, and a network around what is frozen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn

from bench.api import derive_seed
from bench.training.config import TrainConfig
from bench.training.task import Batch, TrainingTask
from methods.blocks.stable_diffusion import check_base
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.cascade import upscale
from methods.cassr.diffusion import Noise
from methods.cassr.loading import load_parts
from methods.cassr.network import Cassr
from methods.cassr.text import DESCRIPTION, NOTHING
from methods.cassr.training.pairs import PairConfig, draw_pairs

_STEPS = 20
"""Most sampling steps of a validation, which is run again and again."""


class NoiseConfig(TrainConfig):
    """What both stages are told."""

    architecture: CassrArchitecture = CassrArchitecture()
    data: PairConfig = PairConfig()
    sd_path: Path | None = None
    """Stable Diffusion 1.5, for the full size."""
    drop_text: float = Field(default=0.1, ge=0, le=1)
    """Share of samples whose description is left out, for guidance. [inferred]"""

    @model_validator(mode="after")
    def _crops_fit(self) -> NoiseConfig:
        if self.data.crop % self.architecture.multiple:
            raise ValueError(f"data.crop is a multiple of {self.architecture.multiple}, got {self.data.crop}")
        if self.sd_path is not None and self.architecture.codec != "vae":
            raise ValueError("sd_path is for the full size: this architecture needs no Stable Diffusion")
        return self


C = TypeVar("C", bound=NoiseConfig)


class NoiseTask(TrainingTask[C]):
    """A stage on the shared loop whose loss is Eq. 3."""

    method = "cassr"
    configs = Path(__file__).parents[1] / "configs"
    checkpoints_gradients: ClassVar[bool] = True
    _before: Path | None = None

    @classmethod
    def smallest_image(cls, config: TrainConfig) -> int:
        """A crop must fit."""
        return config.data.crop if isinstance(config, NoiseConfig) else 1

    def follow(self, weights: Path) -> None:
        """What the stage before left is begun with, unless the configuration names another file."""
        self._before = weights

    def build(self) -> Cassr:
        """A fresh network, the full one around Stable Diffusion.

        Raises:
            RequestError: no Stable Diffusion, or another one.
        """
        architecture = self.config.architecture
        if architecture.codec == "vae":
            option, whose = f"{self.stage}.sd_path", f"the options {self.stage}.architecture"
            parts = load_parts(self.config.sd_path, option=option)
            wanted, factor = architecture.unet, architecture.factor
            check_base(parts.unet, parts.vae, wanted=wanted, factor=factor, whose=whose, option=option)
            network = Cassr(architecture, parts)
        else:
            network = Cassr(architecture)
        network.settings = replace(network.settings, steps=min(network.settings.steps, _STEPS))
        return network

    def ready(self, network: Cassr, stage: str) -> Cassr:
        """The network with nothing but a stage's parameters to be trained, see `Denoiser.trainable_parameters`."""
        network.trainable_parameters(stage)
        if self.config.gradient_checkpointing:
            network.recompute()
        return network

    def pairs(self, rng: np.random.Generator) -> Batch:
        """hr and lr of a step, see `draw_pairs`."""
        return draw_pairs(self.pool, self.config.data, rng, count=self.config.batch)

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """Pairs, and what is random of their noising.

        Returns:
            `pairs`; t, seed (B,) int64; dropped (B,) bool: without a description; step.
        """
        config, count = self.config, self.config.batch
        return {
            **self.pairs(rng),
            "t": torch.from_numpy(rng.integers(0, 1000, count)),
            "seed": torch.from_numpy(rng.integers(0, 2**62, count)),
            "dropped": torch.from_numpy(rng.random(count) < config.drop_text),
            "step": torch.tensor(step),
        }

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """All passes with seed 0; [0, 1] in and out."""
        return upscale(checked(network), lr, size, [0])[-1]

    def architecture(self) -> dict[str, Any]:
        """The fields of `CassrArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def noised(network: Cassr, batch: Batch, anchor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """z_t, what the network should predict of it, and the text tokens; all that is random follows from the seeds."""
    hr, seeds, t = batch["hr"], batch["seed"].tolist(), batch["t"]
    factor = network.latents.factor
    shape = (network.latents.channels, hr.shape[-2] // factor, hr.shape[-1] // factor)
    posterior = Noise([derive_seed(seed, "posterior") for seed in seeds], shape, hr.device)
    with torch.no_grad():
        z0 = network.latents.encode_training(hr, anchor, posterior).float()
    noise = Noise(seeds, shape, hr.device)()
    c = network.text([NOTHING if dropped else DESCRIPTION for dropped in batch["dropped"].tolist()])
    return network.diffusion.noised(z0, noise, t), network.diffusion.target(z0, noise, t), c


def checked(network: nn.Module) -> Cassr:
    """The network as what it is."""
    if not isinstance(network, Cassr):
        raise TypeError(f"expected a Cassr, got {type(network).__name__}")
    return network
