"""Which stage a training step is about: its LR side and its scale.

Source: CasArbi, Eq. 7 (a share p of the steps at exactly x2, the others uniform on (1, 2)) and section V-D4 (diverse
combinations of LR resolution and scale). [inferred] One pair per batch, and the sides below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from bench.training.config import Strict
from methods.casarbi.plan import Strategy


class StageConfig(Strict):
    """Training pairs."""

    strategy: Strategy = "remainder-last"
    """The cascade that is trained for: it decides which sides and scales occur."""
    cascade: bool = True
    """False: one stage for every scale up to `scale_max` (Table VII)."""
    sides: tuple[int, ...] = (48, 96)
    """LR sides that stages begin from; remainder-first and uniform fill the range that they span. [inferred]"""
    p_fix: float = Field(default=0.8, ge=0, le=1)
    """Share of exactly x2: 0.8 for general scenes, 0.5 for faces."""
    scale_max: float = Field(default=8.0, gt=1)
    """Without `cascade`: scales are U(1, scale_max]."""
    reduce: tuple[int, ...] = (1, 2)
    """HR images are first shrunk by one of these, so that all sides see like statistics. [inferred]"""
    augment: bool = True
    """Both flips; the transposition too, unless `upright`."""
    upright: bool = False
    """Faces: no transposition."""
    whole: bool = False
    """Faces: x0 is the whole image, resized, instead of a crop."""

    @model_validator(mode="after")
    def _sides_fit(self) -> StageConfig:
        if not self.sides or min(self.sides) < 4 or list(self.sides) != sorted(set(self.sides)):
            raise ValueError(f"sides are rising and at least 4, got {self.sides}")
        if not self.reduce or min(self.reduce) < 1:
            raise ValueError(f"reduce holds factors of at least 1, got {self.reduce}")
        return self

    @property
    def largest(self) -> int:
        """The longest HR side that a step may ask for."""
        return math.ceil(max(self.sides) * (2 if self.cascade else self.scale_max))


@dataclass(frozen=True)
class StagePair:
    """LR side n and HR side of one step; the scale is what their ratio is."""

    side: int
    target: int

    @property
    def scale(self) -> float:
        """The scale that the network is told."""
        return self.target / self.side


def draw_pair(config: StageConfig, rng: np.random.Generator) -> StagePair:
    """Draw a side and a scale.

    Args:
        config: The cascade that is trained for.
        rng: The step's generator.
    Returns:
        A pair whose target is above its side.
    """
    while True:
        side = draw_side(config, rng)
        target = math.floor(side * draw_scale(config, rng) + 0.5)
        if target > side:
            return StagePair(side, target)


def draw_scale(config: StageConfig, rng: np.random.Generator) -> float:
    """Eq. 7: 2 with probability p, else uniform on (1, 2); without cascade uniform on (1, scale_max)."""
    if not config.cascade:
        return float(rng.uniform(1, config.scale_max))
    fixed = rng.random() < config.p_fix
    drawn = float(rng.uniform(1, 2))
    return 2.0 if fixed else drawn


def draw_side(config: StageConfig, rng: np.random.Generator) -> int:
    """An LR side that a stage of the strategy can begin from. [inferred]"""
    first, last = config.sides[0], config.sides[-1]
    if config.strategy == "remainder-last" or not config.cascade:
        return int(rng.choice(config.sides))
    if config.strategy == "uniform":
        return int(rng.integers(first, last + 1))
    stage = int(rng.integers(0, max(1, math.ceil(math.log2(last / first))) + 1))
    return first if stage == 0 else int(rng.integers(first << (stage - 1), min(first << stage, last) + 1))
