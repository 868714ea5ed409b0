"""Stage 1 of the training: LoRA and ControlNet (lite: the whole UNet) on single tiles, without SARM.

Source: CASR, L_total1, and S3Diff, whose settings its own are; [inferred] is marked. The superpixel network comes from
the stage before and stays as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from bench.api import RequestError, derive_seed
from bench.training.config import Strict, TrainConfig
from bench.training.task import Batch, TrainingTask
from methods.blocks.resample import resample
from methods.blocks.tiles import grid
from methods.casr.architecture import CasrArchitecture
from methods.casr.cycle import Sampling, cycle, upscale
from methods.casr.network import Casr
from methods.casr.training.crops import CropConfig, draw_batch, draw_crops
from methods.casr.training.losses import LossConfig, Objective
from methods.casr.training.losses.gan import REAL, Critic, adversarial_loss
from methods.casr.training.losses.objective import build_critic, window
from methods.casr.training.superpixels import SuperpixelTask, load_superpixels

_CHECKED = 8
"""Fixed crops that are enlarged while training."""


class SourcesConfig(Strict):
    """Where the full size finds what it is built around: folders or hub ids, as the method's options of these names."""

    sd_path: Path | None = None
    sam_path: Path | None = None
    depth_path: Path | None = None


class BackboneConfig(TrainConfig):
    """The training of what enlarges a tile."""

    architecture: CasrArchitecture = CasrArchitecture()
    sources: SourcesConfig = SourcesConfig()
    data: CropConfig = CropConfig()
    loss: LossConfig = LossConfig()
    superpixels: Path | None = None
    """Weights of stage superpixel; null: those that the stage before left in the same folder."""


class BackboneTask(TrainingTask[BackboneConfig]):
    """Stage 1 on the shared loop."""

    method = "casr"
    stage = "backbone"
    after = SuperpixelTask
    Config: ClassVar[type[TrainConfig]] = BackboneConfig
    configs = Path(__file__).parents[1] / "configs"
    checkpoints_gradients: ClassVar[bool] = True
    trains: ClassVar[int] = 1
    """What `Casr.trainable` is asked for."""
    correlates: ClassVar[bool] = False
    """Whether L_corr is part of the loss."""
    tiles: ClassVar[int] = 1
    """Tiles along one side of a crop, without overlap."""
    _before: Path | None = None
    _objective: Objective | None = None

    @classmethod
    def smallest_image(cls, config: TrainConfig) -> int:
        """A crop must fit."""
        return config.data.crop if isinstance(config, BackboneConfig) else 1

    def follow(self, weights: Path) -> None:
        """What the stage before left is begun with, unless the configuration names another file."""
        self._before = weights

    @property
    def shape(self) -> CasrArchitecture:
        """The architecture of this stage: SARM is absent."""
        return self.config.architecture.model_copy(update={"sarm": None})

    def network(self) -> Casr:
        """A fresh network with trained superpixels.

        Raises:
            RequestError: no weights of the superpixels, or of others; a file that the losses need is missing.
        """
        network = self._built(self.shape)
        if network.ssam is not None and network.ssam.ssn is not None:
            path = self.config.superpixels or self._before
            if path is None:
                raise RequestError(
                    "stage 'backbone' needs the weights of stage 'superpixel': train both stages, or name a file with "
                    "--set backbone.superpixels=FILE.safetensors"
                )
            network.ssam.ssn.load_state_dict(load_superpixels(path, self.shape).state_dict())
            self.begun_with = path
        return self._ready(network)

    def _built(self, shape: CasrArchitecture) -> Casr:
        if shape.codec != "vae":
            return Casr(shape)
        from methods.casr.loading import Sources, check_fit, load_parts

        said = self.config.sources
        if said.sd_path is None:
            raise RequestError(
                f"the full size is trained around SD-Turbo: give --set {self.stage}.sources.sd_path=FOLDER, and alike "
                "sam_path and depth_path"
            )
        parts = load_parts(Sources(sd=said.sd_path, sam=said.sam_path, depth=said.depth_path))
        check_fit(shape, parts, whose=f"the options {self.stage}.architecture")
        return Casr(shape, parts)

    def _ready(self, network: Casr) -> Casr:
        crop, least, multiple = self.config.data.crop, network.settings.smallest, network.multiple * self.tiles
        if crop % multiple or crop < least:
            raise RequestError(f"{self.stage}.data.crop is a multiple of {multiple} and at least {least}, got {crop}")
        network.trainable(self.trains)
        if self.config.gradient_checkpointing:
            network.recompute()
        self._objective = Objective(self.config.loss, network, correlation=self.correlates)
        return network

    def critic(self) -> Critic | None:
        """What `loss.critic` names."""
        return build_critic(self.config.loss)

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `draw_batch`; and step."""
        batch = draw_batch(self.pool, self.config.data, rng, count=self.config.batch)
        return {**batch, "step": torch.tensor(step)}

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """L_rec without its adversarial part, L_depth and, in stage 2, L_corr."""
        return self._terms(_checked(network), self.enlarged(_checked(network), batch), batch)

    def against(self, network: nn.Module, critic: nn.Module, batch: Batch) -> tuple[dict[str, torch.Tensor], Batch]:
        """The same and, once the critic has joined, lambda_3 times the cross entropy of fakes that should pass."""
        image = self.enlarged(_checked(network), batch)
        found = self._terms(_checked(network), image, batch)
        if int(batch["step"]) < self.config.loss.gan_from * self.config.steps:
            return found, {}
        rng = self.generator(batch, "critic", "network")
        scores = critic(*self._window(image, rng), rng)
        found["loss_gan"] = self.config.loss.gan * adversarial_loss(scores, REAL)
        return found, {"fake": image.detach(), "hr": batch["hr"], "step": batch["step"]}

    def critic_losses(self, critic: nn.Module, shown: Batch) -> dict[str, torch.Tensor]:
        """Cross entropies of real images and of fakes."""
        rng = self.generator(shown, "critic", "critic")
        real = adversarial_loss(critic(*self._window(shown["hr"], rng), rng), REAL)
        fake = adversarial_loss(critic(*self._window(shown["fake"], rng), rng), 0.0)
        return {"loss_real": real, "loss_fake": fake}

    def _terms(self, network: Casr, image: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        assert self._objective is not None  # made with the network
        return self._objective.terms(
            network, image, batch["hr"], batch["lr"], self.generator(batch, "critic", "window")
        )

    def _window(self, image: torch.Tensor, rng: torch.Generator) -> tuple[torch.Tensor, ...]:
        return window(self.config.loss, (image,), rng)

    def enlarged(self, network: Casr, batch: Batch) -> torch.Tensor:
        """One cycle of the batch, with gradients; (B, 3, P, P) nominally in [-1, 1], not clipped."""
        reference = batch["lr"]
        if "between" in batch:
            side = int(batch["between"])
            reference = cycle(network, reference, (side, side), Sampling())
        side = batch["hr"].shape[-1]
        s, depth = network.align(reference, (side, side))
        tiles = grid((side, side), tile=side // self.tiles, overlap=0)
        return network.enhance(s, depth, reference, tiles=tiles).float()

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """All cycles; [0, 1] in and out."""
        stages = upscale(_checked(network), lr * 2 - 1, size)
        return (stages[-1] if stages else lr * 2 - 1) / 2 + 0.5

    def checks(self, network: nn.Module) -> dict[str, float]:
        """The perceptual distance of fixed crops at x4 and x8, and that of their bicubic enlargements."""
        network, objective = _checked(network), self._objective
        if objective is None or objective.distance is None:
            return {}
        found: dict[str, float] = {}
        device = next(network.parameters()).device
        for scale in (4, 8):
            hr, lr = (each.to(device) for each in self._fixed(scale))
            size = (hr.shape[-2], hr.shape[-1])
            for name, image in (("", upscale(network, lr, size)[-1]), ("bicubic_", resample(lr, size).clamp(-1, 1))):
                found[f"{name}{self.config.loss.perceptual}_x{scale}"] = float(objective.distance(image, hr).mean())
        return found

    def _fixed(self, scale: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The same crops at every validation."""
        rng = np.random.default_rng(derive_seed(self.config.seed, "casr-checks"))
        data = self.config.data
        drawn = draw_crops(self.pool, data, rng, count=_CHECKED, side=max(data.crop // scale, 1))
        return drawn["hr"], drawn["lr"]

    def architecture(self) -> dict[str, Any]:
        """The fields of `CasrArchitecture`."""
        return self.shape.model_dump(mode="json")


def _checked(network: nn.Module) -> Casr:
    if not isinstance(network, Casr):
        raise TypeError(f"expected a Casr, got {type(network).__name__}")
    return network
