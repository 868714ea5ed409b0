"""What Real-ESRGAN draws: probabilities and ranges as data, and the draw that turns a seed into one degradation.

Source: Wang et al. 2021 and its published training options (x4plus). The random stream is ours. "light" is milder, for
small networks: the second order half of the time, half of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from bench.imaging.draws import Draws
from bench.imaging.errors import ImageError
from bench.imaging.kernels import BlurShape, GaussianBlur, SincBlur
from bench.imaging.real_esrgan import INTERPOLATIONS, Blur, Noise, RealEsrganDegradation, Stage

Range = tuple[float, float]

_KERNEL_SIZES = range(7, 22, 2)
_SHAPES: tuple[tuple[BlurShape, bool], ...] = (
    ("gaussian", True),
    ("gaussian", False),
    ("generalised", True),
    ("generalised", False),
    ("plateau", True),
    ("plateau", False),
)
_SHAPE_WEIGHTS = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
_SINC_SHARE = 0.1
_EXPONENTS: dict[BlurShape, Range] = {"gaussian": (1.0, 2.0), "generalised": (0.5, 4.0), "plateau": (1.0, 2.0)}
"""Below 1 and above it are equally likely."""


@dataclass(frozen=True, kw_only=True)
class StageRecipe:
    """What one stage is drawn from.

    Attributes:
        blur: Probability of a blur.
        sigma: Standard deviations of the Gaussian kernels and their relatives, in pixels.
        directions: Probabilities of enlarging, of reducing and of keeping the size.
        ratio: The smallest and the largest ratio of the resize.
        gaussian: Standard deviations of Gaussian noise (half of the draws) in grey levels of 255.
        poisson: Factors on Poisson noise (the other half).
        gray_noise: Probability of the same noise in every channel.
        quality: The lowest and the highest JPEG quality.
    """

    blur: float
    sigma: Range
    directions: tuple[float, float, float]
    ratio: Range
    gaussian: Range
    poisson: Range
    gray_noise: float = 0.4
    quality: tuple[int, int] = (30, 95)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a whole degradation is drawn from.

    Attributes:
        first, second: The two stages.
        second_order: Probability of the second blur, resize and noise; the second JPEG and the final filter stay.
        final_sinc: Probability of the final sinc filter.
        jpeg_last: Probability that the second JPEG comes after the final resize and filter.
    """

    first: StageRecipe
    second: StageRecipe
    second_order: float = 1.0
    final_sinc: float = 0.8
    jpeg_last: float = 0.5


_PUBLISHED = Recipe(
    first=StageRecipe(
        blur=1.0,
        sigma=(0.2, 3.0),
        directions=(0.2, 0.7, 0.1),
        ratio=(0.15, 1.5),
        gaussian=(1.0, 30.0),
        poisson=(0.05, 3.0),
    ),
    second=StageRecipe(
        blur=0.8,
        sigma=(0.2, 1.5),
        directions=(0.3, 0.4, 0.3),
        ratio=(0.3, 1.2),
        gaussian=(1.0, 25.0),
        poisson=(0.05, 2.5),
    ),
)
# [inferred] both ends of a noise range are halved, and the second JPEG stays where the second order is off
_LIGHT = replace(
    _PUBLISHED,
    first=replace(_PUBLISHED.first, gaussian=(0.5, 15.0), poisson=(0.025, 1.5)),
    second=replace(_PUBLISHED.second, gaussian=(0.5, 12.5), poisson=(0.025, 1.25)),
    second_order=0.5,
)
RECIPES: dict[str, Recipe] = {"real-esrgan": _PUBLISHED, "real-esrgan-light": _LIGHT}
"""Name -> recipe."""


def draw_real_esrgan(seed: int, recipe: str = "real-esrgan") -> RealEsrganDegradation:
    """Draw one degradation; no pixel is touched.

    Args:
        seed: 0 <= seed < 2**63, derived by the caller from the image id.
        recipe: A name in `RECIPES`.
    Raises:
        ImageError: no recipe has this name.
    """
    if recipe not in RECIPES:
        raise ImageError(f"unknown Real-ESRGAN recipe '{recipe}': expected {' or '.join(RECIPES)}")
    odds = RECIPES[recipe]
    draws = Draws(seed)
    first, second = _draw_stage(draws, odds.first), _draw_stage(draws, odds.second)
    sinc = SincBlur(size=draws.choice(_KERNEL_SIZES), cutoff=draws.uniform(math.pi / 3, math.pi))
    final_interpolation = draws.choice(INTERPOLATIONS)
    with_sinc, jpeg_last = draws.chance(odds.final_sinc), draws.chance(odds.jpeg_last)
    # the last draw of the stream, so that recipes differ in their ranges alone and share all else of a seed
    if not draws.chance(odds.second_order):
        second = Stage(
            blur=None,
            ratio=None,
            interpolation=second.interpolation,
            noise=None,
            jpeg_quality=second.jpeg_quality,
        )
    return RealEsrganDegradation(
        first=first,
        second=second,
        final_interpolation=final_interpolation,
        final_sinc=sinc if with_sinc else None,
        jpeg_last=jpeg_last,
    )


def _draw_stage(draws: Draws, odds: StageRecipe) -> Stage:
    kernel = _draw_blur(draws, odds.sigma)
    keep_blur = draws.chance(odds.blur)
    direction = draws.choice(("up", "down", "keep"), odds.directions)
    bounds = {"up": (1.0, odds.ratio[1]), "down": (odds.ratio[0], 1.0), "keep": (1.0, 1.0)}[direction]
    ratio, interpolation = draws.uniform(*bounds), draws.choice(INTERPOLATIONS)
    if draws.chance(0.5):
        kind, strength = "gaussian", draws.uniform(*odds.gaussian)
    else:
        kind, strength = "poisson", draws.uniform(*odds.poisson)
    noise = Noise(kind=kind, strength=strength, gray=draws.chance(odds.gray_noise), seed=draws.seed())
    quality = draws.choice(range(odds.quality[0], odds.quality[1] + 1))
    return Stage(
        blur=kernel if keep_blur else None, ratio=ratio, interpolation=interpolation, noise=noise, jpeg_quality=quality
    )


def _draw_blur(draws: Draws, sigma: Range) -> Blur:
    size = draws.choice(_KERNEL_SIZES)
    if draws.chance(_SINC_SHARE):
        return SincBlur(size=size, cutoff=draws.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
    shape, round_ = draws.choice(_SHAPES, _SHAPE_WEIGHTS)
    first, second = draws.uniform(*sigma), draws.uniform(*sigma)
    theta = draws.uniform(-math.pi, math.pi)
    low, high = _EXPONENTS[shape]
    beta = draws.uniform(low, 1.0) if draws.chance(0.5) else draws.uniform(1.0, high)
    return GaussianBlur(
        size=size,
        sigma_1=first,
        sigma_2=first if round_ else second,
        theta=0.0 if round_ else theta,
        shape=shape,
        beta=1.0 if shape == "gaussian" else beta,
    )
