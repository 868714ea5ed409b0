"""Stage diffusion: ControlNet and MAM (lite: with the base, which has no prior) on references of the frozen IAM.

Source: CasSR, Eq. 3 and section 4.1. [inferred] text drops, and what is marked so.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import pairwise
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
from bench.training.task import Batch
from methods.blocks.parts import content_of
from methods.cassr.diffusion import Noise
from methods.cassr.loading import load_csc
from methods.cassr.network import Cassr
from methods.cassr.training.noise import NoiseConfig, NoiseTask, checked, noised
from methods.cassr.training.pairs import draw_pairs
from methods.cassr.training.references import References
from methods.cassr.training.restorer import RestorerTask, enlarged, load_restorer


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
    ref_drop: float = Field(default=0.0, ge=0, le=1)
    """Share of samples whose reference is the enlargement, so that iam "lr" stays in distribution; the paper has none.
    [inferred]"""
    rollout: float = Field(default=0.0, ge=0, le=1)
    """Share of steps whose z_t is not the noised image but what sampling has reached there: a network that learns from
    noised images alone takes its own mistakes for details. (Scheduled sampling, Bengio et al. 2015.) [ours]"""
    rollout_steps: int = Field(default=3, ge=1)
    """Most sampling steps that lead there from step 999."""
    perceptual: float = Field(default=0.0, ge=0)
    """Weight of LPIPS (AlexNet) between predicted and true image, seen through a random window. [ours]"""
    shift: int = Field(default=7, ge=0)
    """How many pixels that window is shorter than the image."""
    zoom: float = Field(default=2.0, ge=1)
    """Up to which factor a part of it is enlarged."""

    @model_validator(mode="after")
    def _fits(self) -> DiffusionConfig:
        if self.iam == "lr" and (self.iam_weights is not None or self.references is not None or self.ref_drop):
            raise ValueError("iam lr takes the enlargement itself: leave out iam_weights, references and ref_drop")
        if (self.iam == "sr" and self.architecture.restorer is None) or (
            self.iam == "scedit" and self.architecture.csc is None
        ):
            raise ValueError(f"iam {self.iam} needs a module that this architecture has not (restorer or csc)")
        if self.rollout and self.architecture.prediction != "sample":
            raise ValueError("rollout is for prediction sample: its z_t belongs to another noise than the target's")
        if self.perceptual and self.architecture.codec == "vae":
            raise ValueError("perceptual is for architectures without a VAE, which would be decoded in every step")
        if self.references is not None and self.data.scale_min != self.data.scale_max:
            raise ValueError("references are kept for one scale: set data.scale_min and data.scale_max alike")
        return self


class DiffusionTask(NoiseTask[DiffusionConfig]):
    """ControlNet and MAM on the shared loop."""

    stage = "diffusion"
    after = RestorerTask
    Config: ClassVar[type[TrainConfig]] = DiffusionConfig
    _distance: PerceptualDistance | None = None
    _references: References | None = None

    def network(self) -> Cassr:
        """A fresh network with a trained image activation module.

        Raises:
            RequestError: no weights of that module, or of another shape; a file of the perceptual term is missing.
        """
        config = self.config
        network = self.build()
        network.settings = replace(network.settings, iam=config.iam)
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
                load_csc(network, path, option="--set diffusion.iam_weights")
            self.begun_with = path
        if config.references is not None:
            self._references = References(config.references, self._made_with(network))
        if config.perceptual:
            try:
                self._distance = load_distance("alex")
            except Unavailable as fault:
                raise RequestError(f"perceptual is above 0: {fault}") from fault
        return self.ready(network, "control")

    def pairs(self, rng: np.random.Generator) -> Batch:
        """See `NoiseTask.pairs`; with references to keep, those of `triplet` (B,), numbers below `triplets`."""
        config = self.config
        if config.references is None:
            return super().pairs(rng)
        numbers = rng.integers(0, config.triplets, config.batch)
        seed = derive_seed(config.seed, "triplets")
        drawn = [draw_pairs(self.pool, config.data, step_generator(seed, int(each)), count=1) for each in numbers]
        batch = {name: torch.cat([each[name] for each in drawn]) for name in ("hr", "lr")}
        return {**batch, "triplet": torch.from_numpy(numbers)}

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """See `NoiseTask.draw`; and `bare` (B,) bool: without a reference; `rolled`: sampling steps before z_t."""
        batch = super().draw(rng, step)
        bare = rng.random(self.config.batch) < self.config.ref_drop
        rolled = int(rng.integers(1, self.config.rollout_steps + 1)) if rng.random() < self.config.rollout else 0
        return {**batch, "bare": torch.from_numpy(bare), "rolled": torch.tensor(rolled)}

    def _made_with(self, network: Cassr) -> dict[str, Any]:
        """All that decides the references; the same line for the same images."""
        config, path, said = self.config, self.begun_with, network.settings
        pixels = hashlib.sha256()
        for image in self.pool.images:
            pixels.update(repr(image.shape).encode() + image.tobytes())
        return {
            "iam": config.iam,
            "weights": hashlib.sha256(path.read_bytes()).hexdigest() if path is not None else "",
            "stable diffusion": content_of((("sd", config.sd_path),)),
            "sampling": [said.iam_steps, said.sampler, said.start, said.cfg, said.prompt, said.negative],
            "data": config.data.model_dump(mode="json"),
            "images": pixels.hexdigest(),
            "seed": config.seed,
        }

    def reference(self, network: Cassr, batch: Batch, up: torch.Tensor) -> torch.Tensor:
        """What the frozen image activation module makes of LR, never of HR; (B, 3, H, W) in [0, 1].

        Args:
            network, batch: Of the step.
            up: The enlarged LR images, which iam "lr" returns as they are.
        """
        size = (up.shape[-2], up.shape[-1])
        if self.config.iam == "lr":
            return up
        if self._references is not None:
            made = self._references.of(network, batch["lr"], size, batch["triplet"].tolist())
        else:
            made = network.activate(batch["lr"], size, batch["seed"].tolist())
        return torch.where(batch["bare"][:, None, None, None], up, made)

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Eq. 3 in the terms of what the network predicts; and the perceptual term."""
        network = checked(network)
        hr, t = batch["hr"], batch["t"]
        up = enlarged(batch["lr"], hr)
        ref = self.reference(network, batch, up)
        anchor = ref if network.architecture.anchor == "reference" else up
        z, target, c = noised(network, batch, anchor)
        if int(batch["rolled"]):
            z = _rolled(network, batch, c, up, ref, anchor)
        lr, r = network.encode_controls(z, t, c, up, ref)
        predicted = network.predict(z, t, c, lr, r).float()
        found = {"loss_noise": functional.mse_loss(predicted, target)}
        if self._distance is not None and min(hr.shape[-2:]) - self.config.shift >= self._distance.smallest_side:
            clean = network.diffusion.parts(z, predicted, t)[0]
            if network.head is None:
                clean = functional.pixel_shuffle(clean, network.latents.factor)
            image = network.latents.compose(clean, anchor, up)
            rng = self.generator(batch, "window")
            pair = random_window((image * 2 - 1, hr * 2 - 1), rng, shift=self.config.shift, zoom=self.config.zoom)
            found["loss_perceptual"] = self.config.perceptual * self._distance.to(hr.device)(*pair).mean()
        return found


@torch.no_grad()
def _rolled(
    network: Cassr, batch: Batch, c: torch.Tensor, up: torch.Tensor, ref: torch.Tensor, anchor: torch.Tensor
) -> torch.Tensor:
    """z_t that so many DDIM steps reach from the noised enlargement, as in sampling; (B, C, h, w)."""
    count, t = int(batch["rolled"]), batch["t"]
    times = [999 + torch.div((t - 999) * number, count, rounding_mode="floor") for number in range(count + 1)]
    begun = network.latents.encode(up, anchor).float()
    noise = Noise(batch["seed"].tolist(), tuple(begun.shape[1:]), begun.device)()
    z = network.diffusion.noised(begun, noise, times[0])
    for now, then in pairwise(times):
        predicted = network.predict(z, now, c, *network.encode_controls(z, now, c, up, ref)).float()
        z = network.diffusion.noised(*network.diffusion.parts(z, predicted, now), then)  # DDIM, eta = 0
    return z
