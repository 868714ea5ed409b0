"""Training pairs with drawn degradations: blur, a random downsampler, 8 bit; the draws are those of the test protocol.

Source: the blind arbitrary-scale paper (section 4) and its released code. A degradation is a record (kernel, shrinker)
drawn from the step's generator, so a batch is a function of (seed, step) here too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bench.imaging.degrade import KERNEL_SIZES, UNDEGRADED, BlindDegradation, draw_blind_assr
from bench.training.config import PatchConfig
from bench.training.images import ImagePool
from bench.training.patches import draw_crop, draw_image

SharedDraw = Callable[[], np.random.Generator]
"""Where a patch takes the scale, kernel size and shrinker that it shares with others; called once per patch."""


class DegradedConfig(PatchConfig):
    """Patches, and what their degradations are drawn from; the defaults are the paper's."""

    kernel_sizes: tuple[int, ...] = KERNEL_SIZES
    sigma_min: float = Field(default=0.2, gt=0, allow_inf_nan=False)
    sigma_max: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    eigenvalue: Literal["sigma", "variance"] = "sigma"
    """What the range above draws. [inferred] standard deviations, as in DASR's and the authors' code."""
    clean_share: float = Field(default=0.0, ge=0, le=1)
    """Share of patches (under `mixing` batch and pool: of batches) that are only reduced by antialiased bicubic. Ours;
    the paper has none."""
    mixing: Literal["sample", "batch", "pool"] = "sample"
    """Who shares a draw of scale, kernel size and shrinker. [inferred] "sample": nobody; "batch": a batch, as the
    release draws; "pool": each patch has that of one of the last batches, as in the release's sample pool."""
    pool: int = Field(default=2048, ge=1)
    """Patches that the pool of `mixing: pool` holds."""

    @model_validator(mode="after")
    def _kernels_make_sense(self) -> DegradedConfig:
        if not self.kernel_sizes or any(size < 1 or size % 2 == 0 for size in self.kernel_sizes):
            raise ValueError(f"kernel_sizes are odd sides, got {self.kernel_sizes}")
        if self.sigma_max < self.sigma_min:
            raise ValueError(f"sigma_max {self.sigma_max} is below sigma_min {self.sigma_min}")
        return self


@dataclass(frozen=True)
class DegradedPatch:
    """One crop and its LR.

    Attributes:
        lr: uint8 (p, p, 3), blurred and shrunk.
        hr: uint8 (P, P, 3).
        degradation: What made it.
        source: The image that the crop is of.
        seed: The one that the kernel was drawn from; None for an undegraded patch. Under `mixing` batch and pool the
            side and the shrinker come from elsewhere: `degradation` is what replays it.
    """

    lr: NDArray[np.uint8]
    hr: NDArray[np.uint8]
    degradation: BlindDegradation
    seed: int | None
    source: NDArray[np.uint8]

    @property
    def scale(self) -> float:
        """HR over LR side."""
        return self.hr.shape[0] / self.lr.shape[0]

    def sharp_lr(self) -> NDArray[np.uint8]:
        """The same reduction without the blur, in 8 bit: the x-down-s of the paper's Eq. 4."""
        return self.degradation.reduce(self.hr, (self.lr.shape[0], self.lr.shape[1]))


def draw_degraded(
    images: ImagePool,
    config: DegradedConfig,
    rng: np.random.Generator,
    *,
    crops: int = 1,
    shared: SharedDraw | None = None,
) -> list[DegradedPatch]:
    """Draw an image, a degradation and a scale, and crops that share all three.

    Args:
        images: Drawn uniformly.
        config: Patch side, scales, degradations.
        rng: The step's generator.
        crops: How many; each with its own place and orientation (turned first, then degraded).
        shared: Under `mixing` batch or pool: the generator that others draw the same from.
    Returns:
        `crops` patches.
    Raises:
        RequestError: no scale fits the drawn image.
    """
    common = rng if shared is None else shared()
    scale = float(common.uniform(config.scale_min, config.scale_max))
    clean = bool(common.random() < config.clean_share)
    sizes = config.kernel_sizes if shared is None else (int(common.choice(config.kernel_sizes)),)
    shrinker = None if shared is None else str(common.choice(("bicubic", "bilinear", "area")))
    seed = int(rng.integers(2**63))
    drawn = draw_blind_assr(
        seed, eigenvalue=config.eigenvalue, sizes=sizes, low=config.sigma_min, high=config.sigma_max
    )
    if shrinker is not None:
        drawn = BlindDegradation(blur=drawn.blur, shrinker=shrinker)  # pyright: ignore[reportArgumentType]
    degradation = UNDEGRADED if clean else drawn
    image, side = draw_image(images, config, rng, scale=scale, side=config.lr_patch)
    size = (config.lr_patch, config.lr_patch)
    found = []
    for _ in range(crops):
        hr = draw_crop(image, side, rng, augment=config.augment)
        lr = degradation.apply(hr, size)
        found.append(DegradedPatch(lr, hr, degradation, None if clean else seed, image))
    return found


def another_crop(patch: DegradedPatch, config: DegradedConfig, rng: np.random.Generator) -> DegradedPatch:
    """A crop of the same image with the same degradation and scale, at another place and turned another way."""
    hr = draw_crop(patch.source, patch.hr.shape[0], rng, augment=config.augment)
    lr = patch.degradation.apply(hr, (patch.lr.shape[0], patch.lr.shape[1]))
    return replace(patch, lr=lr, hr=hr)
