"""Training pairs of CASR: an HR crop of fixed side, and its bicubic reduction by a scale that a step draws.

Source: CASR (DF2K, bicubic, scales U(1, 4), crops of 512 and 1024, both flips). [inferred] One scale per step, and what
is marked so below.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field, model_validator

from bench.training.config import Strict
from bench.training.images import ImagePool
from bench.training.patches import draw_crop, draw_orientation, reduce_bicubic
from bench.training.task import Batch


class CropConfig(Strict):
    """What a step draws."""

    crop: int = Field(default=512, ge=16)
    """Side of the HR crops."""
    scale_min: float = Field(default=1.0, ge=1)
    scale_max: float = Field(default=4.0, gt=1)
    p_max: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps at exactly `scale_max`, with which most plans begin. [ours]"""
    reduce: tuple[int, ...] = (1,)
    """HR images are first shrunk by one of these: sharper, and more of a small image in a crop. [ours]"""
    augment: bool = True
    """Both flips, and the transposition (ours)."""
    cycle_aug: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps that train a second cycle: LR goes through the network once before. [inferred] 0: the sources
    train on true LR only."""

    @model_validator(mode="after")
    def _fits(self) -> CropConfig:
        if self.scale_max < self.scale_min:
            raise ValueError(f"scale_max {self.scale_max} is below scale_min {self.scale_min}")
        if not self.reduce or min(self.reduce) < 1:
            raise ValueError(f"reduce holds factors of at least 1, got {self.reduce}")
        if self.crop / self.scale_max ** (2 if self.cycle_aug else 1) < 4:
            raise ValueError(f"crops of {self.crop} leave LR images below 4 pixels")
        return self


def draw_batch(pool: ImagePool, config: CropConfig, rng: np.random.Generator, *, count: int) -> Batch:
    """A batch of one scale.

    Args:
        pool: Drawn uniformly.
        config: What to draw.
        rng: The step's generator.
        count: B.
    Returns:
        See `draw_crops`; where a cycle comes before, also between: the side of its result.
    """
    side = round(config.crop / draw_scale(config, rng))
    if rng.random() >= config.cycle_aug:
        return draw_crops(pool, config, rng, count=count, side=side)
    first = round(side / draw_scale(config, rng))
    return {**draw_crops(pool, config, rng, count=count, side=first), "between": torch.tensor(side)}


def draw_crops(pool: ImagePool, config: CropConfig, rng: np.random.Generator, *, count: int, side: int) -> Batch:
    """Crops and their reductions to `side`: hr (B, 3, P, P) and lr (B, 3, side, side), in [-1, 1]."""
    crops = [_draw_one(pool, config, rng) for _ in range(count)]
    return {"hr": _stacked(crops), "lr": _stacked([reduce_bicubic(each, (side, side)) for each in crops])}


def draw_scale(config: CropConfig, rng: np.random.Generator) -> float:
    """`scale_max` with probability p_max, else uniform."""
    largest = rng.random() < config.p_max
    drawn = float(rng.uniform(config.scale_min, config.scale_max))
    return config.scale_max if largest else drawn


def _draw_one(pool: ImagePool, config: CropConfig, rng: np.random.Generator) -> np.ndarray:
    image = pool.images[int(rng.integers(len(pool.images)))]
    fitting = [factor for factor in config.reduce if min(image.shape[:2]) >= factor * config.crop]
    hr = draw_crop(image, config.crop * int(rng.choice(fitting or [1])), rng, augment=False)
    hr = reduce_bicubic(hr, (config.crop, config.crop))
    return np.ascontiguousarray(draw_orientation(hr, rng)) if config.augment else hr


def _stacked(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
