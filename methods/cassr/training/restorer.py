"""Stage iam: the plain restorer whose images are the references of lite, by L1 on degraded pairs. [ours]"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.api import RequestError
from bench.training.config import TrainConfig
from bench.training.task import Batch, TrainingTask
from bench.weights.reader import read_network
from methods.blocks.resample import resample
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.restorer import Restorer
from methods.cassr.training.pairs import PairConfig, draw_pairs


class RestorerConfig(TrainConfig):
    """The training of the restorer alone."""

    architecture: CassrArchitecture = CassrArchitecture()
    data: PairConfig = PairConfig()


class RestorerTask(TrainingTask[RestorerConfig]):
    """The restorer on the shared loop."""

    method = "cassr"
    stage = "iam"
    Config: ClassVar[type[TrainConfig]] = RestorerConfig
    configs = Path(__file__).parents[1] / "configs"

    @classmethod
    def smallest_image(cls, config: TrainConfig) -> int:
        """A crop must fit."""
        return config.data.crop if isinstance(config, RestorerConfig) else 1

    def network(self) -> Restorer:
        """A fresh restorer, which returns what it is shown.

        Raises:
            RequestError: the architecture has none, as the full size.
        """
        return _built(self.config.architecture)

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `draw_pairs`."""
        return draw_pairs(self.pool, self.config.data, rng, count=self.config.batch)

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """The mean absolute error in [0, 1]."""
        hr = batch["hr"]
        return {"loss_l1": functional.l1_loss(network(enlarged(batch["lr"], hr)), hr)}

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """One pass, whatever the scale; [0, 1] in and out."""
        return network(resample(lr, size).clamp(0, 1)).clamp(0, 1)

    def architecture(self) -> dict[str, Any]:
        """The fields of `CassrArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def enlarged(lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
    """The bicubic enlargement of LR to HR's size, in [0, 1]."""
    return resample(lr, (hr.shape[-2], hr.shape[-1])).clamp(0, 1)


def load_restorer(path: Path, architecture: CassrArchitecture) -> Restorer:
    """The restorer that this stage left.

    Raises:
        RequestError: missing, damaged, of another stage or shape.
    """
    seen: list[CassrArchitecture] = []

    def built(said: CassrArchitecture) -> Restorer:
        seen.append(said)
        return _built(said)

    network = read_network(path, CassrArchitecture, built, method="cassr", stage="iam")
    if seen[0].restorer != architecture.restorer:
        raise RequestError(
            f"{path} was trained with architecture.restorer {seen[0].restorer}, expected {architecture.restorer}"
        )
    return network.eval()


def _built(said: CassrArchitecture) -> Restorer:
    if said.restorer is None:
        raise RequestError(
            "stage 'iam' has nothing to train: architecture.restorer is null. The full size begins with --stage csc, "
            "whose weights --stage diffusion takes by --set diffusion.iam_weights=FILE.safetensors"
        )
    return Restorer(said.restorer)
