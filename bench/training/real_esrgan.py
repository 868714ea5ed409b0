"""Training pairs degraded as Real-ESRGAN does, a share of them by antialiased bicubic alone.

Source: CasSR (section 4.1) trains on Real-ESRGAN's degradation; the share of clean patches is ours, so that a network
knows the plain bicubic tracks too. A degradation is a record here as in `degraded`, whose patches need a blur kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bench.imaging.degrade import DRAWS, UNDEGRADED, Degradation
from bench.training.config import PatchConfig
from bench.training.images import ImagePool
from bench.training.patches import draw_crop, draw_image


class RealEsrganConfig(PatchConfig):
    """Patches, and which recipe degrades them."""

    recipe: Literal["real-esrgan", "real-esrgan-light"] = "real-esrgan-light"
    """The published recipe, or the milder one; the same draws as of the test protocol."""
    clean_share: float = Field(default=0.5, ge=0, le=1)
    """Share of patches that are only reduced by antialiased bicubic; 0: as in the paper."""
    upright: bool = False
    """Of `augment` only the flip of left and right, as the published training has it."""

    @model_validator(mode="after")
    def _upright_is_of_augment(self) -> RealEsrganConfig:
        if self.upright and not self.augment:
            raise ValueError("upright says how augment turns a patch: leave it out where augment is false")
        return self


@dataclass(frozen=True)
class RealEsrganPatch:
    """One crop and its LR.

    Attributes:
        lr: uint8 (p, p, 3).
        hr: uint8 (P, P, 3).
        degradation: What made `lr` of `hr`.
        seed: The one that it was drawn from, for a cache of pairs; None for a clean patch.
    """

    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    degradation: Degradation
    seed: int | None


def draw_real_esrgan_patch(images: ImagePool, config: RealEsrganConfig, rng: np.random.Generator) -> RealEsrganPatch:
    """Draw a scale, a degradation, an image and a crop of it.

    Args:
        images: Drawn uniformly.
        config: Patch side, scales, recipe.
        rng: The step's generator.
    Raises:
        RequestError: no scale fits the drawn image.
    """
    scale = float(rng.uniform(config.scale_min, config.scale_max))
    clean = bool(rng.random() < config.clean_share)
    seed = int(rng.integers(2**63))
    degradation = UNDEGRADED if clean else DRAWS[config.recipe](seed)
    image, side = draw_image(images, config, rng, scale=scale, side=config.lr_patch)
    hr = draw_crop(image, side, rng, augment=config.augment, upright=config.upright)
    lr = degradation.apply(hr, (config.lr_patch, config.lr_patch))
    return RealEsrganPatch(lr, hr, degradation, None if clean else seed)
