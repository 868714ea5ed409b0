"""Stage csc: SCEdit's tuner as image activation module, over a base that stays as it is.

Source: CasSR section 3.2; [inferred] Eq. 3 without the reference. For the full size this stage comes first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import model_validator
from torch import nn
from torch.nn import functional

from bench.api import RequestError
from bench.training.config import TrainConfig
from bench.training.task import Batch, TrainingTask
from bench.weights.reader import check_stage, load_into, read_architecture, read_weights
from methods.blocks.borrowed import leave_out
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.cascade import upscale
from methods.cassr.network import Cassr
from methods.cassr.training.diffusion import DiffusionTask, NoiseConfig, build, checked, draw_noised, noised
from methods.cassr.training.restorer import enlarged


class TunerConfig(NoiseConfig):
    """The training of the CSC-Tuner."""

    base: Path | None = None
    """Weights of stage diffusion, for sizes without a prior; null: those that the stage before left."""

    @model_validator(mode="after")
    def _has_a_tuner(self) -> TunerConfig:
        if self.architecture.csc is None:
            raise ValueError("architecture.csc is null: there is nothing to train in this stage")
        if self.base is not None and self.architecture.codec == "vae":
            raise ValueError("base is for sizes without a prior: the full one is built around sd_path")
        return self


class TunerTask(TrainingTask[TunerConfig]):
    """The CSC-Tuner on the shared loop."""

    method = "cassr"
    stage = "csc"
    after = DiffusionTask
    Config: ClassVar[type[TrainConfig]] = TunerConfig
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

    def network(self) -> Cassr:
        """A trained base with a fresh tuner; of the full size the weights hold the tuner alone.

        Raises:
            RequestError: no weights of stage diffusion, or of another shape; no Stable Diffusion.
        """
        network = build(self.config)
        if self.config.architecture.codec == "vae":
            names = nn.Module.state_dict(network)
            leave_out(network, frozenset(name for name in names if not name.startswith("csc.")))
        else:
            self._begin(network)
        network.trainable_parameters("csc")
        if self.config.gradient_checkpointing:
            network.recompute()
        return network

    def _begin(self, network: Cassr) -> None:
        path = self.config.base or self._before
        if path is None:
            raise RequestError(
                "stage 'csc' needs the weights of stage 'diffusion': train both stages, or name a file with "
                "--set csc.base=FILE.safetensors"
            )
        weights = read_weights(path)
        check_stage(weights, "diffusion")
        said, wanted = read_architecture(CassrArchitecture, weights, method="cassr"), self.config.architecture
        if said.model_copy(update={"csc": wanted.csc}) != wanted:
            raise RequestError(f"{path} was trained with {said}, this configuration has {wanted}")
        fresh = {name: each for name, each in network.state_dict().items() if name.startswith("csc.")}
        kept = {name: each for name, each in weights.tensors.items() if not name.startswith("csc.")}
        load_into(network, {**kept, **fresh}, path)
        self.begun_with = path

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `draw_noised`."""
        return draw_noised(self, rng, step)

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Eq. 3 without a reference, in the terms of what the network predicts."""
        network = checked(network)
        up = enlarged(batch["lr"], batch["hr"])
        # as an activation module the tuner samples without a reference: the enlargement stands for it
        z, target, c = noised(network, batch, up)
        return {"loss_noise": functional.mse_loss(network.predict_scedit(z, batch["t"], c, up).float(), target)}

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """All passes with seed 0; [0, 1] in and out."""
        return upscale(checked(network), lr, size, [0])[-1]

    def architecture(self) -> dict[str, Any]:
        """The fields of `CassrArchitecture`."""
        return self.config.architecture.model_dump(mode="json")
