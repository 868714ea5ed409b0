"""How LTE is trained as the blind-ASSR model's baseline: L1 on sampled pixels of blurred and shrunk patches.

Source: LTE (section 4: as LIIF's training) and the blind arbitrary-scale paper (section 4: LTE retrained on its
degradations). The batches of a step are those of `blind_assr` with the same configuration, pixel for pixel.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.training.config import TrainConfig
from bench.training.task import Batch, TrainingTask
from methods.blocks.arbsr import ArbSR
from methods.blocks.sampled import SampledConfig, sampled_batch, shared_draws
from methods.lte.method import LteArchitecture


class LteTrainConfig(TrainConfig):
    """The training of an LTE network."""

    architecture: LteArchitecture = LteArchitecture()
    data: SampledConfig = SampledConfig()
    clamp: bool = False
    """Clamp the prediction to [0, 1] before the loss, as the blind paper's release does. [inferred] no: a clamped pixel
    has no gradient."""


class LteTask(TrainingTask[LteTrainConfig]):
    """LTE on the shared loop."""

    method = "lte"
    Config: ClassVar[type[TrainConfig]] = LteTrainConfig
    configs = Path(__file__).parents[1] / "configs"

    def network(self) -> ArbSR:
        """The network of `config.architecture`."""
        return ArbSR(self.config.architecture)

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `sampled_batch`."""
        config = self.config
        shared = shared_draws(config.data, seed=config.seed, step=step, batch=config.batch)
        return sampled_batch(self.pool, config.data, rng, batch=config.batch, shared=shared)

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Mean absolute error on [0, 1]."""
        predicted = network(batch["lr"] * 2 - 1, batch["coord"], batch["cell"]) / 2 + 0.5
        predicted = predicted.clamp(0, 1) if self.config.clamp else predicted
        return {"loss": functional.l1_loss(predicted, batch["target"])}

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """[0, 1] in and out."""
        if not isinstance(network, ArbSR):
            raise TypeError(f"expected an ArbSR, got {type(network).__name__}")
        return network.upsample(lr * 2 - 1, size) / 2 + 0.5

    def architecture(self) -> dict[str, Any]:
        """The fields of `LteArchitecture`."""
        return self.config.architecture.model_dump(mode="json")
