"""Stage diffusion: ControlNet and MAM (lite: with the base, which has no prior) on references of the frozen IAM.

Source: CasSR, Eq. 3 and section 4.1. [inferred] text drops, and what is marked so.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from bench.api import RequestError, Unavailable, derive_seed
from bench.training.config import TrainConfig
from bench.training.patches import step_generator
from bench.training.perceptual import PerceptualDistance, load_distance, random_window
from bench.training.task import Batch, TrainingTask
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.cascade import upscale
from methods.cassr.diffusion import Noise
from methods.cassr.loading import check_fit, load_csc, load_parts
from methods.cassr.network import Cassr
from methods.cassr.text import DESCRIPTION, NOTHING
from methods.cassr.training.pairs import PairConfig, draw_pairs
from methods.cassr.training.references import References
from methods.cassr.training.restorer import RestorerTask, enlarged, load_restorer


class NoiseConfig(TrainConfig):
    """What both stages that predict noise share."""

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
        return self


class DiffusionConfig(NoiseConfig):
    """The training of what controls the diffusion."""

    iam: Literal["sr", "scedit", "lr"] = "sr"
    """Who makes the references; "lr": the enlargement itself."""
    iam_weights: Path | None = None
    """Weights of stage iam (sr) or csc (scedit); null: what the stage before left."""
    references: Path | None = None
    """A folder that keeps the references, so that each is made once: for an iam that samples. null: made each time."""
    triplets: int = Field(default=20_000, ge=1)
    """How many (HR, LR, reference) it is to hold."""
    perceptual: float = Field(default=0.0, ge=0)
    """Weight of LPIPS (AlexNet) between predicted and true image, seen through a random window. [ours]"""
    shift: int = Field(default=7, ge=0)
    """How many pixels that window is shorter than the image."""
    zoom: float = Field(default=2.0, ge=1)
    """Up to which factor a part of it is enlarged."""

    @model_validator(mode="after")
    def _perceptual_fits(self) -> DiffusionConfig:
        if self.perceptual and self.architecture.codec == "vae":
            raise ValueError("perceptual is for architectures without a VAE, which would be decoded in every step")
        if self.references is not None and self.data.scale_min != self.data.scale_max:
            raise ValueError("references are kept for one scale: set data.scale_min and data.scale_max alike")
        return self


class DiffusionTask(TrainingTask[DiffusionConfig]):
    """ControlNet and MAM on the shared loop."""

    method = "cassr"
    stage = "diffusion"
    after = RestorerTask
    Config: ClassVar[type[TrainConfig]] = DiffusionConfig
    configs = Path(__file__).parents[1] / "configs"
    checkpoints_gradients: ClassVar[bool] = True
    _before: Path | None = None
    _distance: PerceptualDistance | None = None
    _references: References | None = None

    @classmethod
    def smallest_image(cls, config: TrainConfig) -> int:
        """A crop must fit."""
        return config.data.crop if isinstance(config, NoiseConfig) else 1

    def follow(self, weights: Path) -> None:
        """What the stage before left makes the references, unless the configuration names another file."""
        self._before = weights

    def network(self) -> Cassr:
        """A fresh network with a trained image activation module.

        Raises:
            RequestError: no weights of that module, or of another shape; a file of the perceptual term is missing.
        """
        config = self.config
        network = build(config)
        network.settings = replace(network.settings, iam=config.iam)
        network.check_activation()
        if config.iam != "lr":
            path = config.iam_weights or (self._before if config.iam == "sr" else None)
            if path is None:
                wanted = "iam" if config.iam == "sr" else "csc"
                raise RequestError(
                    f"stage 'diffusion' needs the weights of stage '{wanted}': train it first with --stage {wanted}, "
                    "and name its file with --set diffusion.iam_weights=FILE.safetensors"
                )
            if config.iam == "sr":
                network.restorer = load_restorer(path, config.architecture)
            else:
                load_csc(network, path)
            self.begun_with = path
        if config.references is not None:
            self._references = References(config.references, self._made_with())
        network.trainable_parameters("control")
        if config.gradient_checkpointing:
            network.recompute()
        if config.perceptual:
            try:
                self._distance = load_distance("alex")
            except Unavailable as fault:
                raise RequestError(f"perceptual is above 0: {fault}") from fault
        return network

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `draw_noised`; with references to keep, of triplets, and `triplet` (B,), their numbers."""
        batch = draw_noised(self, rng, step)
        if self.config.references is None:
            return batch
        numbers = rng.integers(0, self.config.triplets, self.config.batch)
        seed = derive_seed(self.config.seed, "triplets")
        pairs = [draw_pairs(self.pool, self.config.data, step_generator(seed, int(each)), count=1) for each in numbers]
        drawn = {name: torch.cat([each[name] for each in pairs]) for name in ("hr", "lr")}
        return {**batch, **drawn, "triplet": torch.from_numpy(numbers)}

    def _made_with(self) -> dict[str, Any]:
        path = self.begun_with
        return {
            "iam": self.config.iam,
            "weights": hashlib.sha256(path.read_bytes()).hexdigest() if path is not None else "",
            "data": self.config.data.model_dump(mode="json"),
            "images": hashlib.sha256("\n".join(self.pool.names).encode()).hexdigest(),
            "seed": self.config.seed,
        }

    def _reference(self, network: Cassr, batch: Batch, size: tuple[int, int]) -> torch.Tensor:
        if self._references is None:
            return network.activate(batch["lr"], size, batch["seed"].tolist())
        return self._references.of(network, batch["lr"], size, batch["triplet"].tolist())

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Eq. 3 in the terms of what the network predicts; and the perceptual term."""
        network = checked(network)
        hr, t = batch["hr"], batch["t"]
        up = enlarged(batch["lr"], hr)
        size = (hr.shape[-2], hr.shape[-1])
        ref = up if self.config.iam == "lr" else self._reference(network, batch, size)
        anchor = ref if network.architecture.anchor == "reference" else up
        z, target, c = noised(network, batch, anchor)
        lr, r = network.encode_controls(z, t, c, up, ref)
        predicted = network.predict(z, t, c, lr, r).float()
        found = {"loss_noise": functional.mse_loss(predicted, target)}
        if self._distance is not None and min(size) - self.config.shift >= self._distance.smallest_side:
            clean = network.diffusion.parts(z, predicted, t)[0]
            if network.head is None:
                clean = functional.pixel_shuffle(clean, network.latents.factor)
            image = network.latents.compose(clean, anchor, up)
            rng = torch.Generator().manual_seed(derive_seed(self.config.seed, "window", int(batch["step"])) % 2**63)
            pair = random_window((image * 2 - 1, hr * 2 - 1), rng, shift=self.config.shift, zoom=self.config.zoom)
            found["loss_perceptual"] = self.config.perceptual * self._distance.to(hr.device)(*pair).mean()
        return found

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """All passes with seed 0; [0, 1] in and out."""
        return upscale(checked(network), lr, size, [0])[-1]

    def architecture(self) -> dict[str, Any]:
        """The fields of `CassrArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def build(config: NoiseConfig) -> Cassr:
    """A fresh network, the full one around Stable Diffusion.

    Raises:
        RequestError: no Stable Diffusion, or another one.
    """
    if config.architecture.codec != "vae":
        return Cassr(config.architecture)
    parts = load_parts(config.sd_path)
    check_fit(config.architecture, parts, whose="the options architecture")
    return Cassr(config.architecture, parts)


def draw_noised(task: TrainingTask[Any], rng: np.random.Generator, step: int) -> Batch:
    """Pairs, and what is random of their noising.

    Returns:
        hr and lr of `draw_pairs`; t, seed (B,) int64; dropped (B,) bool: without a description; step.
    """
    config = task.config
    assert isinstance(config, NoiseConfig)
    count = config.batch
    return {
        **draw_pairs(task.pool, config.data, rng, count=count),
        "t": torch.from_numpy(rng.integers(0, 1000, count)),
        "seed": torch.from_numpy(rng.integers(0, 2**62, count)),
        "dropped": torch.from_numpy(rng.random(count) < config.drop_text),
        "step": torch.tensor(step),
    }


def noised(network: Cassr, batch: Batch, anchor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """z_t, what the network should predict of it, and the text tokens."""
    with torch.no_grad():
        z0 = network.latents.encode(batch["hr"], anchor).float()
    noise, t = Noise(batch["seed"].tolist(), tuple(z0.shape[1:]), z0.device)(), batch["t"]
    c = network.text([NOTHING if dropped else DESCRIPTION for dropped in batch["dropped"].tolist()])
    return network.diffusion.noised(z0, noise, t), network.diffusion.target(z0, noise, t), c


def checked(network: nn.Module) -> Cassr:
    """The network as what it is."""
    if not isinstance(network, Cassr):
        raise TypeError(f"expected a Cassr, got {type(network).__name__}")
    return network
