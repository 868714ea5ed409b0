"""Degradations as data: drawn once from a seed, storable as JSON, applied without any further choice.

The draws are the same everywhere and for ever. The pixels are too, up to a grey level where another version of a
library (JPEG above all) rounds differently; a run should therefore record the hash of its LR pixels beside the seed.

The blind arbitrary-scale recipe (anisotropic Gaussian blur, then a random choice of downsampler) lives here, the
second-order Real-ESRGAN one in `real_esrgan` and `real_esrgan_recipe`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.imaging.draws import Draws
from bench.imaging.errors import ImageError
from bench.imaging.kernels import GaussianBlur, SincBlur, apply_kernel
from bench.imaging.real_esrgan import RealEsrganDegradation
from bench.imaging.real_esrgan_recipe import RECIPES, draw_real_esrgan
from bench.imaging.resize import Size, area, interpolate

__all__ = [
    "DRAWS",
    "UNDEGRADED",
    "BlindDegradation",
    "Degradation",
    "GaussianBlur",
    "RealEsrganDegradation",
    "SincBlur",
    "apply_kernel",
    "draw_blind_assr",
    "draw_real_esrgan",
    "shrink",
]

Shrinker = Literal["bicubic", "bilinear", "area"]
KERNEL_SIZES = tuple(range(7, 22, 2))
"""Kernel sides of the blind arbitrary-scale paper."""


@dataclass(frozen=True, kw_only=True)
class BlindDegradation:
    """Blur, then shrink, then round to 8 bit; no noise.

    Attributes:
        blur: The HR-space kernel.
        shrinker: "bicubic": MATLAB's, antialiased; "bilinear": without antialiasing; "area": adaptive averaging.
    Source: the blind arbitrary-scale paper (section 4); the three downsamplers as the authors' code makes them.
    """

    kind: ClassVar[str] = "blind-assr"
    blur: GaussianBlur
    shrinker: Shrinker

    def apply(self, hr: NDArray[np.uint8], lr_size: Size) -> NDArray[np.uint8]:
        """Make the LR image.

        Args:
            hr: (H, W) or (H, W, 3) uint8.
            lr_size: (height, width) of the result.
        Returns:
            uint8 of exactly that size.
        Raises:
            ImageError: not uint8, or an empty result.
        """
        if hr.dtype != np.uint8:
            raise ImageError(f"a degradation expects uint8 pixels, got {hr.dtype}")
        return self.reduce(apply_kernel(hr, self.blur.kernel()), lr_size)

    def reduce(self, image: NDArray[Any], lr_size: Size) -> NDArray[np.uint8]:
        """Shrink and round without blurring; (H, W[, 3]) on the scale 0..255 to uint8 of exactly that size."""
        return np.clip(np.rint(shrink(image, lr_size, self.shrinker)), 0, 255).astype(np.uint8)


UNDEGRADED = BlindDegradation(blur=GaussianBlur(size=7, sigma_1=0.05, sigma_2=0.05, theta=0.0), shrinker="bicubic")
"""Antialiased bicubic alone: at this width the Gaussian is a single point."""

Degradation = BlindDegradation | RealEsrganDegradation


def shrink(image: NDArray[Any], size: Size, shrinker: Shrinker) -> NDArray[np.float64]:
    """One of the three downsamplers of the blind recipe; float64, unrounded, errors as in `imresize`."""
    if shrinker == "area":
        return area(image, size)
    if shrinker not in ("bicubic", "bilinear"):
        raise ImageError(f"unknown downsampler '{shrinker}': expected bicubic, bilinear or area")
    return interpolate(image, size, shrinker, antialias=shrinker == "bicubic")


def draw_blind_assr(
    seed: int,
    *,
    eigenvalue: Literal["sigma", "variance"] = "sigma",
    sizes: Sequence[int] = KERNEL_SIZES,
    low: float = 0.2,
    high: float = 4.0,
) -> BlindDegradation:
    """Draw one: kernel side, two eigenvalues U(low, high), angle U(0, pi), one of the three shrinkers.

    Args:
        seed: 0 <= seed < 2**63, derived by the caller from the image id.
        eigenvalue: What U(low, high) draws. [inferred] "sigma", as the code of DASR and of the authors; the paper's
            wording ("eigenvalues of the covariance") would be "variance".
        sizes: Odd kernel sides to choose from; the paper's 7, 9, ..., 21.
        low: The paper's 0.2; the authors' code trains with 0.6.
        high: The paper's 4; the authors' code trains with 5.
    """
    draws = Draws(seed)
    size = draws.choice(sizes)
    first, second = draws.uniform(low, high), draws.uniform(low, high)
    if eigenvalue == "variance":
        first, second = math.sqrt(first), math.sqrt(second)
    theta = draws.uniform(0.0, math.pi)
    shrinkers: tuple[Shrinker, ...] = ("bicubic", "bilinear", "area")
    blur = GaussianBlur(size=size, sigma_1=first, sigma_2=second, theta=theta)
    return BlindDegradation(blur=blur, shrinker=draws.choice(shrinkers))


DRAWS: Mapping[str, Callable[[int], Degradation]] = {
    "blind-assr": draw_blind_assr,
    **{recipe: partial(draw_real_esrgan, recipe=recipe) for recipe in RECIPES},
}
"""Name of a degradation -> its draw of a seed."""
