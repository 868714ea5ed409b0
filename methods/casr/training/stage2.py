"""Stage 2 of the training: SARM alone, on crops of 2 x 2 tiles, with the self-similarity loss.

Source: CASR, L_total2; backbone, LoRA, ControlNet and superpixels are frozen. [inferred] tiles without overlap.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import model_validator

from bench.api import RequestError
from bench.training.config import TrainConfig
from bench.weights.reader import check_stage, load_into, read_architecture, read_weights
from methods.casr.architecture import CasrArchitecture
from methods.casr.network import Casr
from methods.casr.training.crops import CropConfig
from methods.casr.training.stage1 import BackboneConfig, BackboneTask

_NEW = ("sarm.", "semantics.")
"""Tensors that stage 1 has not."""


class SarmConfig(BackboneConfig):
    """The training of SARM."""

    data: CropConfig = CropConfig(crop=1024)
    backbone: Path | None = None
    """Weights of stage backbone, which hold the superpixels too; null: those that the stage before left."""

    @model_validator(mode="after")
    def _has_sarm(self) -> SarmConfig:
        if self.architecture.sarm is None:
            raise ValueError("architecture.sarm is null: there is nothing to train in this stage")
        if self.superpixels is not None:
            raise ValueError("superpixels come with the weights of stage backbone")
        return self


class SarmTask(BackboneTask):
    """Stage 2 on the shared loop."""

    stage = "sarm"
    after = BackboneTask
    Config: ClassVar[type[TrainConfig]] = SarmConfig
    trains: ClassVar[int] = 2
    correlates: ClassVar[bool] = True
    tiles: ClassVar[int] = 2

    @property
    def shape(self) -> CasrArchitecture:
        """The whole architecture."""
        return self.config.architecture

    def network(self) -> Casr:
        """Stage 1's network with a fresh SARM.

        Raises:
            RequestError: no weights of stage 1, or of another shape.
        """
        network = self._built(self.shape)
        self.begun_with = path = self._weights_before()
        weights = read_weights(path)
        check_stage(weights, "backbone")
        said = read_architecture(CasrArchitecture, weights, method="casr").model_copy(update={"sarm": self.shape.sarm})
        if said != self.shape:
            raise RequestError(f"{path} was trained with {said}, this configuration has {self.shape}")
        own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(_NEW)}
        load_into(network, {**own, **weights.tensors}, path)
        return self._ready(network)

    def _weights_before(self) -> Path:
        named = self.config.backbone if isinstance(self.config, SarmConfig) else None
        path = named or self._before
        if path is None:
            raise RequestError(
                "stage 'sarm' needs the weights of stage 'backbone': train both stages, or name a file with "
                "--set sarm.backbone=FILE.safetensors"
            )
        return path
