"""Training pairs of CasSR: HR crops of a fixed side, degraded as Real-ESRGAN does, by one scale per step."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field, model_validator

from bench.training.images import ImagePool
from bench.training.real_esrgan import RealEsrganConfig, draw_real_esrgan_patch
from bench.training.task import Batch


class PairConfig(RealEsrganConfig):
    """What a step draws. LR patches follow from the crop and the scale; `lr_patch` is not read."""

    crop: int = Field(default=128, ge=16)
    """Side of the HR crops; the paper's is 512."""
    scale_min: float = Field(default=4.0, ge=1)
    """The paper trains at x4 alone; below it, passes of other plans are in distribution. [ours]"""

    @model_validator(mode="after")
    def _leaves_pixels(self) -> PairConfig:
        if self.crop / self.scale_max < 4:
            raise ValueError(f"crops of {self.crop} leave LR patches below 4 pixels at scale {self.scale_max:g}")
        return self


def draw_pairs(pool: ImagePool, config: PairConfig, rng: np.random.Generator, *, count: int) -> Batch:
    """A batch of one scale.

    Args:
        pool: Drawn uniformly; no image is smaller than a crop.
        config: What to draw.
        rng: The step's generator.
        count: B.
    Returns:
        hr (B, 3, P, P) and lr (B, 3, p, p), in [0, 1].
    """
    side = round(config.crop / float(rng.uniform(config.scale_min, config.scale_max)))
    scale = config.crop / side
    said = config.model_copy(update={"lr_patch": side, "scale_min": scale, "scale_max": scale})
    drawn = [draw_real_esrgan_patch(pool, said, rng) for _ in range(count)]
    return {"hr": _stacked([each.hr for each in drawn]), "lr": _stacked([each.lr for each in drawn])}


def _stacked(images: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
