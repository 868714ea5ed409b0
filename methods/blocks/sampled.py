"""Training batches of the continuous methods: LR patches, and HR pixels sampled from their crops."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bench.training.config import PatchConfig
from bench.training.degraded import DegradedConfig, SharedDraw, another_crop, draw_degraded
from bench.training.images import ImagePool
from bench.training.patches import step_generator
from bench.training.task import Batch
from methods.blocks.coordinates import cell_of, coord_at


class QueryConfig(PatchConfig):
    """Patches, and how many HR pixels of each are asked for."""

    queries: int = Field(default=2304, ge=1)

    @model_validator(mode="after")
    def _queries_fit(self) -> QueryConfig:
        least = round(self.lr_patch * self.scale_min) ** 2
        if self.queries > least:
            raise ValueError(f"queries {self.queries} exceed the {least} pixels of the smallest HR patch")
        return self


class SampledConfig(DegradedConfig, QueryConfig):
    """Degraded patches, and how many HR pixels of each are asked for."""


def shared_draws(config: DegradedConfig, *, seed: int, step: int, batch: int) -> SharedDraw | None:
    """Where the patches of a step take what `mixing` makes them share.

    Args:
        config: Its `mixing` and `pool` decide.
        seed, step, batch: Of the training.
    Returns:
        A function called once per patch; None where nothing is shared.
    """
    if config.mixing == "sample":
        return None
    if config.mixing == "batch":
        return lambda: step_generator(seed, -1 - step)
    spread = step_generator(seed, -1 - step)
    held = max(config.pool // batch, 1)
    return lambda: step_generator(seed, -1 - (step - int(spread.integers(min(held, step + 1)))))


def sampled_batch(
    images: ImagePool,
    config: SampledConfig,
    rng: np.random.Generator,
    *,
    batch: int,
    shared: SharedDraw | None,
    others: int = 0,
) -> Batch:
    """One batch.

    Args:
        images, config, rng, shared: As in `draw_degraded`.
        batch: Patches.
        others: Further LR crops per patch, of its image and degradation; drawn last, so that the rest is the same
            without them.
    Returns:
        lr (B, 3, p, p) and target (B, Q, 3), float32 in [0, 1]; coord (B, Q, 2) and cell (B, 2), float64; with others,
        others (B, n, 3, p, p).
    """
    patches, rows = [], []
    for _ in range(batch):
        patch = draw_degraded(images, config, rng, shared=shared)[0]
        patches.append(patch)
        rows.append((to_tensor(patch.lr), *sample_pixels(patch.hr, config.queries, rng)))
    lr, target, coord, cell = (torch.stack(column) for column in zip(*rows, strict=True))
    found = {"lr": lr, "target": target.float() / 255, "coord": coord, "cell": cell}
    if others:
        crops = [torch.stack([to_tensor(another_crop(p, config, rng).lr) for _ in range(others)]) for p in patches]
        found["others"] = torch.stack(crops)
    return found


def to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """uint8 (h, w, 3) -> float32 (3, h, w) in [0, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def sample_pixels(
    hr: NDArray[np.uint8], queries: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels of an HR patch, each at most once.

    Args:
        hr: (H, W, 3).
        queries: How many.
        rng: The step's generator.
    Returns:
        Colours (Q, 3) uint8; their centres (Q, 2) and the cell (2,), float64.
    """
    size = (hr.shape[0], hr.shape[1])
    picked = rng.choice(size[0] * size[1], size=queries, replace=False)
    return torch.from_numpy(hr.reshape(-1, 3)[picked]), coord_at(torch.from_numpy(picked), size), cell_of(size)
