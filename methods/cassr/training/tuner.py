"""Stage csc: SCEdit's tuner as image activation module, over a base that stays as it is.

Source: CasSR section 3.2; [inferred] Eq. 3 without the reference. For the full size this stage comes first.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import model_validator
from torch import nn
from torch.nn import functional

from bench.api import RequestError
from bench.training.config import TrainConfig
from bench.training.task import Batch
from bench.weights.reader import check_stage, load_into, read_architecture, read_weights
from methods.blocks.borrowed import leave_out
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.network import Cassr
from methods.cassr.training.diffusion import DiffusionTask
from methods.cassr.training.noise import NoiseConfig, NoiseTask, checked, noised
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


class TunerTask(NoiseTask[TunerConfig]):
    """The CSC-Tuner on the shared loop."""

    stage = "csc"
    after = DiffusionTask
    Config: ClassVar[type[TrainConfig]] = TunerConfig

    def network(self) -> Cassr:
        """A trained base with a fresh tuner; of the full size the weights hold the tuner alone.

        Raises:
            RequestError: no weights of stage diffusion, or of another shape; no Stable Diffusion.
        """
        network = self.build()
        if self.config.architecture.codec == "vae":
            names = nn.Module.state_dict(network)
            leave_out(network, frozenset(name for name in names if not name.startswith("csc.")))
        else:
            self._begin(network)
        network.settings = replace(network.settings, iam="scedit")
        return self.ready(network, "csc")

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

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Eq. 3 without a reference, in the terms of what the network predicts."""
        network = checked(network)
        up = enlarged(batch["lr"], batch["hr"])
        # as an activation module the tuner samples without a reference: the enlargement stands for it
        z, target, c = noised(network, batch, up)
        return {"loss_noise": functional.mse_loss(network.predict_scedit(z, batch["t"], c, up).float(), target)}

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """What the tuner makes, in one pass whatever the scale; [0, 1] in and out."""
        return checked(network).activate(lr, size, [0])
