"""How LIIF is trained: L1 on pixels sampled from HR crops at random scales.

Source: LIIF, section 4.1 (48x48 LR patches, U(1, 4), 48*48 sampled pixels per patch, L1, Adam 1e-4 halved every fifth).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.training.config import TrainConfig
from bench.training.patches import draw_patch
from bench.training.task import Batch, TrainingTask
from methods.blocks.sampled import QueryConfig, sample_pixels
from methods.liif.architecture import LiifArchitecture
from methods.liif.network import LIIFNetwork


class LiifTrainConfig(TrainConfig):
    """The training of a LIIF network."""

    architecture: LiifArchitecture = LiifArchitecture()
    data: QueryConfig = QueryConfig()


class LiifTask(TrainingTask[LiifTrainConfig]):
    """LIIF on the shared loop."""

    method = "liif"
    Config: ClassVar[type[TrainConfig]] = LiifTrainConfig
    configs = Path(__file__).parents[1] / "configs"

    def network(self) -> LIIFNetwork:
        """The network of `config.architecture`."""
        return LIIFNetwork(self.config.architecture)

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """lr (B, 3, p, p) and target (B, Q, 3) in [-1, 1]; coord (B, Q, 2) and cell (B, 2), float64."""
        data = self.config.data
        rows: list[tuple[torch.Tensor, ...]] = []
        for _ in range(self.config.batch):
            patch = draw_patch(self.pool, data, rng)
            pixels = sample_pixels(patch.hr, data.queries, rng)
            rows.append((torch.from_numpy(patch.lr).permute(2, 0, 1), *pixels))
        lr, target, coord, cell = (torch.stack(column) for column in zip(*rows, strict=True))
        return {"lr": normalise(lr), "target": normalise(target), "coord": coord, "cell": cell}

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Mean absolute error in [-1, 1] units."""
        predicted = network(batch["lr"], batch["coord"], batch["cell"])
        return {"loss": functional.l1_loss(predicted, batch["target"])}

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """[0, 1] in and out."""
        if not isinstance(network, LIIFNetwork):
            raise TypeError(f"expected a LIIFNetwork, got {type(network).__name__}")
        return network.upsample(lr * 2 - 1, size) / 2 + 0.5

    def architecture(self) -> dict[str, Any]:
        """The fields of `LiifArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1
