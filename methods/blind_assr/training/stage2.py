"""Stage 2 of the training: the SR network with E and M frozen, by L1 on sampled pixels and the cycle loss of Eq. 6.

Source: the blind arbitrary-scale paper, sections 3.4 and 3.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from bench.api import RequestError
from bench.training.config import TrainConfig
from bench.training.task import Batch, TrainingTask
from bench.weights.reader import read_network
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.kernels import apply_kernels, check_border
from methods.blind_assr.network import BlindASSR, RepresentationNetwork
from methods.blind_assr.training.stage1 import RepresentationTask
from methods.blocks.sampled import SampledConfig, sampled_batch, shared_draws


class SrConfig(TrainConfig):
    """The training of the SR network."""

    architecture: BlindArchitecture = BlindArchitecture()
    data: SampledConfig = SampledConfig()
    representation: Path | None = None
    """Weights of stage 1; null: those that the stage before left in the same folder."""
    cycle: bool = True
    """The cycle loss (Table 2's second switch; the first, `implicit`, is the architecture's)."""
    lambda_cycle: float = Field(default=0.1, ge=0)
    z_crops: int = Field(default=1, ge=1)
    """z is the mean over the LR patch and z_crops - 1 others of its image. 1: the patch alone, as in the paper.
    [inferred] With more, what z tells of the patch's content is not worth learning, and z is what it is at inference, a
    mean over the image (see `z_window`)."""
    clamp: bool = False
    """Clamp the prediction to [0, 1] before the loss, as the release does. [inferred] no."""
    frozen_mode: bool = True
    """Keep E and M in evaluation mode. [inferred] The release lets their batch statistics drift."""

    @model_validator(mode="after")
    def _cycle_fits(self) -> SrConfig:
        if self.cycle and self.lambda_cycle > 0:
            check_border(self.data.lr_patch)
        return self


class SrTask(TrainingTask[SrConfig]):
    """The SR network on the shared loop."""

    method = "blind_assr"
    stage = "sr"
    after = RepresentationTask
    Config: ClassVar[type[TrainConfig]] = SrConfig
    configs = Path(__file__).parents[1] / "configs"
    _representation: Path | None = None

    def follow(self, weights: Path) -> None:
        """E and M come from these weights unless the configuration names others."""
        self._representation = weights

    def network(self) -> BlindASSR:
        """The SR network, freshly initialised, and E and M as stage 1 left them.

        Raises:
            RequestError: no weights of stage 1, or of another shape.
        """
        config = self.config
        network = BlindASSR(config.architecture, frozen_mode=config.frozen_mode)
        path = config.representation or self._representation
        if path is not None:
            self.begun_with = path
            trained = load_representation(path, config.architecture)
            network.encoder.load_state_dict(trained.encoder.state_dict())
            network.estimator.load_state_dict(trained.estimator.state_dict())
        elif config.architecture.implicit or self._cycles:
            raise RequestError(
                "stage 'sr' needs the weights of stage 'representation': train both stages, or name a file with "
                "--set sr.representation=FILE.safetensors"
            )
        return network

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `sampled_batch`; the LTE baseline draws the same."""
        config = self.config
        shared = shared_draws(config.data, seed=config.seed, step=step, batch=config.batch)
        others = config.z_crops - 1 if config.architecture.implicit or self._cycles else 0
        return sampled_batch(self.pool, config.data, rng, batch=config.batch, shared=shared, others=others)

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Eq. 7: L1 on the sampled pixels, and lambda times Eq. 6."""
        if not isinstance(network, BlindASSR):
            raise TypeError(f"expected a BlindASSR, got {type(network).__name__}")
        lr = batch["lr"]
        z = self._mean_z(network, batch) if network.modulation is not None or self._cycles else None
        gains = None if z is None else network.gains(z)
        prepared = network.sr.prepare(lr * 2 - 1, gains)
        predicted = self._pixels(network.sr.query(prepared, batch["coord"], batch["cell"]))
        found = {"loss_sr": functional.l1_loss(predicted, batch["target"])}
        if z is not None and self._cycles:
            small = self._pixels(network.sr.at_scale_one(prepared))
            found["loss_cycle"] = self.config.lambda_cycle * cycle_loss(small, network.kernel(z), lr)
        return found

    def _mean_z(self, network: BlindASSR, batch: Batch) -> torch.Tensor:
        patches = batch["lr"][:, None]
        if "others" in batch:
            patches = torch.cat((patches, batch["others"]), dim=1)
        z = network.representation(patches.flatten(0, 1), window=0)
        return z.unflatten(0, patches.shape[:2]).mean(dim=1)

    @property
    def _cycles(self) -> bool:
        return self.config.cycle and self.config.lambda_cycle > 0

    def _pixels(self, colours: torch.Tensor) -> torch.Tensor:
        pixels = colours / 2 + 0.5
        return pixels.clamp(0, 1) if self.config.clamp else pixels

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """[0, 1] in and out."""
        if not isinstance(network, BlindASSR):
            raise TypeError(f"expected a BlindASSR, got {type(network).__name__}")
        return network.upsample(lr, size) / 2 + 0.5

    def architecture(self) -> dict[str, Any]:
        """The fields of `BlindArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def cycle_loss(small: torch.Tensor, kernels: torch.Tensor, lr: torch.Tensor) -> torch.Tensor:
    """Eq. 6: the SR image at scale 1, blurred by the estimated kernel, should be the LR image.

    Args:
        small: (B, 3, h, w), the network queried at scale 1, in [0, 1].
        kernels: (B, 1, k, k), each of its own image.
        lr: (B, 3, h, w) in [0, 1].
    Returns:
        The mean absolute difference.
    """
    return functional.l1_loss(apply_kernels(small, kernels), lr)


def load_representation(path: Path, architecture: BlindArchitecture | None = None) -> RepresentationNetwork:
    """Stage 1's networks from their weights file, in evaluation mode.

    Args:
        path: Made by the stage "representation".
        architecture: What E and M must look like; None: whatever the file says.
    Raises:
        RequestError: missing, damaged, or of another shape.
    """
    network = read_network(path, BlindArchitecture, RepresentationNetwork, method="blind_assr", stage="representation")
    said = network.architecture
    if architecture is not None:
        for name in ("wavelet", "encoder", "estimator"):
            if getattr(said, name) != getattr(architecture, name):
                raise RequestError(
                    f"{path} was trained with {name} {getattr(said, name)}, this configuration has "
                    f"{getattr(architecture, name)}"
                )
    return network.eval()
