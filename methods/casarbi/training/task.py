"""How CasArbi is trained: L1 between predicted and true residual at a random step of a random stage.

Source: CasArbi, section IV-C (Eq. 10), IV-B (noise augmentation), V-A2 (Adam, iterations). Algorithm 1 is lost from
the text; [inferred] what is marked so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from bench.api import RequestError, Unavailable, derive_seed
from bench.training.config import Strict, TrainConfig
from bench.training.patches import draw_crop, draw_orientation, reduce_bicubic, step_generator
from bench.training.perceptual import PerceptualDistance, load_distance, random_window
from bench.training.task import Batch, TrainingTask
from methods.blocks.resample import resample
from methods.casarbi.architecture import CasArbiArchitecture
from methods.casarbi.cascade import Sampling, sample_stage, upscale
from methods.casarbi.diffusion import EtaSchedule
from methods.casarbi.network import CasArbi
from methods.casarbi.training.pairs import StageConfig, StagePair, draw_pair
from methods.liif.info import LIIF
from methods.liif.method import load_network as load_prior
from methods.liif.training.task import normalise

_LEAST_OWN = 8
"""Pixels that the first image of a cascade in training has at least, where its LR image allows it."""
_GAIN_PAIRS = 256
"""Training pairs that the gain is measured on."""


class OwnConfig(Strict):
    """LR images as a cascade has them. [ours] Without them a network learns what reduced photographs look like, and
    nothing of what its later stages are fed with."""

    start: int = Field(ge=0)
    """The first step of it."""
    share: float = Field(default=0.7, gt=0, le=1)
    """Of the steps from then on, those whose LR image the network makes; in the others it is the reduced photograph."""
    depth: int = Field(default=2, ge=1)
    """Stages of x2, at most, in which it makes that image; each number is as frequent, none begins below 8 pixels."""
    perceptual: float | None = Field(default=None, ge=0)
    """Weight of LPIPS from then on; None: as before."""


class CasArbiTrainConfig(TrainConfig):
    """The training of the encoders and the denoiser; the prior is given."""

    architecture: CasArbiArchitecture = CasArbiArchitecture()
    data: StageConfig = StageConfig()
    prior: Path | Literal["lite"] | None = None
    """Weights of a LIIF of the shape `architecture.prior`, or "lite": those shipped with `liif`."""
    residual_gain: float | Literal["auto"] = "auto"
    """Factor of the residuals. [inferred] auto: 1 / std(x0 - u) over 256 pairs, within [1, 20], so that noise of about
    1 fits; 1: the literal text."""
    aug: bool = True
    """Noise augmentation of the LR condition (Table VIII)."""
    aug_steps: int = Field(default=5, ge=1, le=15)
    """As much noise as so many steps of ResShift's table of 15 hold: 5 for general scenes, 3 for faces."""
    perceptual: float = Field(default=0.0, ge=0)
    """Weight of LPIPS (AlexNet) between the predicted and the true image, seen through a random window. [ours]
    Steps whose images are too small for the network (under 31 pixels) go without it."""
    shift: int = Field(default=7, ge=0)
    """How many pixels that window is shorter than the image."""
    zoom: float = Field(default=2.0, ge=1)
    """Up to which factor a part of it is enlarged."""
    own: OwnConfig | None = None
    """Training on LR images that the network itself makes, from a step on; None: never. [ours]"""
    aug_target: Literal["cond", "all"] = "cond"
    """Noise what the LR encoder sees, or y wherever it is used. [inferred] cond"""

    def perceptual_at(self, step: int) -> float:
        """The weight of LPIPS at a step."""
        if self.own is None or self.own.perceptual is None or step < self.own.start:
            return self.perceptual
        return self.own.perceptual

    @model_validator(mode="after")
    def _frames_fit(self) -> CasArbiTrainConfig:
        if self.architecture.coord_frame == "image" and not self.data.whole:
            raise ValueError("coord_frame image needs data.whole: a crop would be told that it is the whole image")
        return self

    @model_validator(mode="after")
    def _own_images_occur(self) -> CasArbiTrainConfig:
        if self.own is not None and not self.data.cascade:
            raise ValueError("own needs data.cascade: a single stage is never fed with an image of its own")
        return self


class CasArbiTask(TrainingTask[CasArbiTrainConfig]):
    """CasArbi on the shared loop."""

    method = "casarbi"
    Config: ClassVar[type[TrainConfig]] = CasArbiTrainConfig
    configs = Path(__file__).parents[1] / "configs"
    _distance: PerceptualDistance | None = None

    @classmethod
    def smallest_image(cls, config: TrainConfig) -> int:
        """The longest HR side must fit."""
        return config.data.largest if isinstance(config, CasArbiTrainConfig) and not config.data.whole else 1

    def network(self) -> CasArbi:
        """A fresh network around its prior, its gain measured.

        Raises:
            RequestError: no prior, one of another shape, or no files for the perceptual term.
        """
        config = self.config
        network = CasArbi(config.architecture)
        if config.prior is None:
            raise RequestError(
                "casarbi is trained around a LIIF of the shape architecture.prior: name its weights with "
                "--set prior=FILE (made by 'bench train liif'), or --set prior=lite for the shipped ones"
            )
        path = LIIF.weights["lite"] if config.prior == "lite" else Path(config.prior)
        prior = load_prior(path)
        if prior.architecture != config.architecture.prior:
            raise RequestError(
                f"{path} is a LIIF of {prior.architecture}; architecture.prior of this configuration is "
                f"{config.architecture.prior}"
            )
        network.prior.load_state_dict(prior.state_dict())
        if config.perceptual > 0 or (config.own is not None and config.own.perceptual):
            self._distance = _distance()
        network.gain.fill_(self.measured_gain(network) if config.residual_gain == "auto" else config.residual_gain)
        return network

    def measured_gain(self, network: CasArbi) -> float:
        """1 / std(x0 - u) over training pairs, within [1, 20]; (std over all values, as residuals have no mean)."""
        squares, count = 0.0, 0
        network.eval()
        for number in range(-(-_GAIN_PAIRS // self.config.batch)):
            batch = self.draw(step_generator(derive_seed(self.config.seed, "gain"), number), number)
            x0 = batch["x0"]
            off = network.residual(x0, network.anchor(batch["y"], (x0.shape[-2], x0.shape[-1])))
            squares, count = squares + float((off.double() ** 2).sum()), count + off.numel()
        return min(max((count / max(squares, 1e-12)) ** 0.5, 1.0), 20.0)

    def draw(self, rng: np.random.Generator, step: int) -> Batch:
        """One stage for the whole batch.

        Returns:
            x0 (B, 3, P, P) and y (B, 3, p, p) in [-1, 1]; t (B,) int64; noise like x0, aug like y, both N(0, 1); step;
            own, the stages in which the network makes y (absent: y is the reduced photograph).
        """
        config = self.config
        pair = draw_pair(config.data, rng)
        rows = [self._draw_one(pair, rng) for _ in range(config.batch)]
        x0, y = (normalise(torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2)) for each in zip(*rows, strict=True))
        batch = {
            "x0": x0,
            "y": y,
            "t": torch.from_numpy(rng.integers(1, config.architecture.schedule.steps + 1, config.batch)),
            "noise": torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32)),
            "aug": torch.from_numpy(rng.standard_normal(y.shape, dtype=np.float32)),
            "step": torch.tensor(step),
        }
        if config.own is not None and step >= config.own.start and rng.random() < config.own.share:
            batch["own"] = torch.tensor(_draw_depth(rng, pair.side, config.own.depth))
        return batch

    def _draw_one(self, pair: StagePair, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        data = self.config.data
        image = self.pool.images[int(rng.integers(len(self.pool.images)))]
        if data.whole:
            turned = draw_crop(image, min(image.shape[:2]), rng, augment=False)
            hr = np.array(
                Image.fromarray(turned).resize((pair.target, pair.target), Image.Resampling.BICUBIC, reducing_gap=None)
            )
        else:
            fitting = [factor for factor in data.reduce if min(image.shape[:2]) >= factor * pair.target]
            factor = int(rng.choice(fitting or [1]))
            hr = draw_crop(image, pair.target * factor, rng, augment=False)
            hr = reduce_bicubic(hr, (pair.target, pair.target))
        if data.augment:
            hr = draw_orientation(hr, rng, upright=data.upright)
        hr = np.ascontiguousarray(hr)
        return hr, reduce_bicubic(hr, (pair.side, pair.side))

    def losses(self, network: nn.Module, batch: Batch) -> dict[str, torch.Tensor]:
        """Eq. 10: the mean absolute error of the predicted residual, in gained units; and the perceptual term."""
        network = _checked(network)
        x0, y, t = batch["x0"], batch["y"], batch["t"]
        size = (x0.shape[-2], x0.shape[-1])
        if "own" in batch:
            y = self.own_input(network, y, int(batch["own"]), self.generator(batch, "own"))
        seen = self.augmented(network, y, batch["aug"]) if self.config.aug and network.training else y
        if self.config.aug_target == "all":
            y = seen
        u = network.anchor(y, size)
        r0 = network.residual(x0, u)
        r = network.shift.q_sample(r0, network.lr_residual(y, u), t, batch["noise"])
        predicted = self.predicted(network, seen, u, r, t)
        found = {"loss_l1": functional.l1_loss(predicted, r0)}
        weight = self.config.perceptual_at(int(batch["step"])) if "step" in batch else self.config.perceptual
        if weight > 0:
            assert self._distance is not None  # made with the network
            if min(size) - self.config.shift < self._distance.smallest_side:
                return found
            images = network.image(predicted, u), x0
            seen = random_window(
                images, self.generator(batch, "window"), shift=self.config.shift, zoom=self.config.zoom
            )
            found["loss_perceptual"] = weight * self._distance.to(x0.device)(*seen).mean()
        return found

    def own_input(self, network: CasArbi, y: torch.Tensor, stages: int, generator: torch.Generator) -> torch.Tensor:
        """What so many stages of the network make of LR images that were reduced by two as often.

        Args:
            network: As it is now, in its mode.
            y: (B, 3, p, p) in [-1, 1].
            stages: At least one; each enlarges by two, or by what an odd side needs.
            generator: On the CPU.
        Returns:
            (B, 3, p, p) in [-1, 1], without gradients.
        """
        sides = [y.shape[-1]]
        for _ in range(stages):
            sides.insert(0, (sides[0] + 1) // 2)
        image = resample(y, (sides[0], sides[0])).clamp_(-1, 1)
        for side in sides[1:]:
            image = sample_stage(network, image, (side, side), image, generator=generator, sampling=self._sampling())
        return image

    @staticmethod
    def predicted(network: CasArbi, y: torch.Tensor, u: torch.Tensor, r: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """f at per-sample steps: what `cascade.predictor` computes at one step, with gradients.

        Args:
            y: (B, 3, p, p), what the LR encoder sees.
            u, r: (B, 3, P, P).
            t: (B,) int64.
        """
        size = (u.shape[-2], u.shape[-1])
        features = resample(network.lr_encoder(y), size)
        scale = torch.full((y.shape[0],), size[0] / y.shape[-2], device=y.device)
        return network.denoiser(network.shift.normalised(r, t), features, network.hr_encoder(u), t, scale)

    def augmented(self, network: CasArbi, y: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """y with noise of standard deviation kappa sqrt(eta_K) / gain, from the table of 15 steps whatever T is."""
        table = EtaSchedule(15, p=0.3, kappa=2.0, m=0.04)
        return y + table.noise(self.config.aug_steps) / network.gain * noise

    def upscale(self, network: nn.Module, lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """The whole cascade with seed 0; [0, 1] in and out."""
        stages = upscale(_checked(network), lr * 2 - 1, size, seed=0, sampling=self._sampling())
        return (stages[-1] if stages else lr * 2 - 1) / 2 + 0.5

    def _sampling(self) -> Sampling:
        return Sampling(strategy=self.config.data.strategy, cascade=self.config.data.cascade)

    def architecture(self) -> dict[str, Any]:
        """The fields of `CasArbiArchitecture`."""
        return self.config.architecture.model_dump(mode="json")


def _distance() -> PerceptualDistance:
    try:
        return load_distance("alex")
    except Unavailable as fault:
        raise RequestError(f"perceptual is above 0: {fault}") from fault


def _draw_depth(rng: np.random.Generator, side: int, depth: int) -> int:
    """Stages, up to `depth`, in which the network makes an LR image of this side."""
    deepest = min(depth, max(1, (side // _LEAST_OWN).bit_length() - 1))
    return int(rng.integers(1, deepest + 1)) if deepest > 1 else 1


def _checked(network: nn.Module) -> CasArbi:
    if not isinstance(network, CasArbi):
        raise TypeError(f"expected a CasArbi, got {type(network).__name__}")
    return network
