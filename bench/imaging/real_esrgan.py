"""The second-order degradation of Real-ESRGAN, drawn once and kept as data, with an exact LR size.

Source: Wang et al. 2021 and its published training options (x4plus): probabilities, ranges and order. [inferred] where
this differs: the random stream is ours, JPEG is Pillow's, qualities are whole numbers, the LR size is given exactly.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.imaging.draws import Draws
from bench.imaging.errors import ImageError
from bench.imaging.kernels import BlurShape, GaussianBlur, SincBlur, apply_kernel
from bench.imaging.resize import Size, area

Float64 = NDArray[np.float64]
Blur = GaussianBlur | SincBlur
Interpolation = Literal["area", "bilinear", "bicubic"]

_INTERPOLATIONS: tuple[Interpolation, ...] = ("area", "bilinear", "bicubic")
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
_GRAY_WEIGHTS = np.array([0.2989, 0.587, 0.114])


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Additive noise.

    Attributes:
        kind: "gaussian", or "poisson" (shot noise over as many levels as the image has, to the next power of two).
        strength: Gaussian: standard deviation in grey levels of 255; Poisson: factor on the noise.
        gray: The same noise in every channel.
        seed: Of the noise field.
    """

    kind: Literal["gaussian", "poisson"]
    strength: float
    gray: bool
    seed: int

    def apply(self, image: Float64) -> Float64:
        """The image (in [0, 1]) with noise, clipped to [0, 1]."""
        gray = self.gray and image.ndim == 3
        if self.kind == "gaussian":
            shape = image.shape[:2] if gray else image.shape
            noise = Draws(self.seed).normal(shape) / 255
        else:
            levels = np.rint(np.clip(image @ _GRAY_WEIGHTS if gray else image, 0, 1) * 255)
            peak = 2.0 ** math.ceil(math.log2(np.count_nonzero(np.bincount(levels.astype(np.int64).ravel()))))
            noise = Draws(self.seed).poisson(levels / 255 * peak) / peak - levels / 255
        if gray:
            noise = noise[:, :, None]
        return np.clip(image + noise * self.strength, 0, 1)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blur, resize, noise, JPEG.

    Attributes:
        blur: None: skipped.
        ratio: Side of the resized image over that of the HR image (first stage) or of the LR image (second stage).
        interpolation: Of the resize; none of the three is antialiased beyond what "area" averages.
        noise: Added after the resize.
        jpeg_quality: Pillow's quality.
    """

    blur: Blur | None
    ratio: float
    interpolation: Interpolation
    noise: Noise
    jpeg_quality: int

    def before_jpeg(self, image: Float64, base: Size) -> Float64:
        """The stage up to its JPEG; `base` is the size that `ratio` refers to."""
        if self.blur is not None:
            image = apply_kernel(image, self.blur.kernel())
        size = (max(int(base[0] * self.ratio), 1), max(int(base[1] * self.ratio), 1))
        return self.noise.apply(_resize(image, size, self.interpolation))


@dataclass(frozen=True, kw_only=True)
class RealEsrganDegradation:
    """Two stages, then the resize to the LR size and a final sinc filter, before or after the second JPEG.

    Attributes:
        first: Its ratio refers to the HR size.
        second: Its ratio refers to the LR size.
        final_interpolation: Of the resize to the exact LR size.
        final_sinc: None: skipped.
        jpeg_last: The second JPEG comes after the final resize and filter, else before them.
    """

    kind: ClassVar[str] = "real-esrgan"
    first: Stage
    second: Stage
    final_interpolation: Interpolation
    final_sinc: SincBlur | None
    jpeg_last: bool

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
        if hr.dtype != np.uint8 or min(lr_size) < 1:
            raise ImageError(f"expected uint8 pixels and an LR size of at least 1 x 1, got {hr.dtype} and {lr_size}")
        image = self.first.before_jpeg(hr / 255.0, (hr.shape[0], hr.shape[1]))
        image = self.second.before_jpeg(_jpeg(image, self.first.jpeg_quality), lr_size)
        if self.jpeg_last:
            image = _jpeg(self._finish(image, lr_size), self.second.jpeg_quality)
        else:
            image = self._finish(_jpeg(image, self.second.jpeg_quality), lr_size)
        return _u8(image)

    def _finish(self, image: Float64, lr_size: Size) -> Float64:
        image = _resize(image, lr_size, self.final_interpolation)
        return image if self.final_sinc is None else apply_kernel(image, self.final_sinc.kernel())


def draw_real_esrgan(seed: int) -> RealEsrganDegradation:
    """Draw one degradation with the probabilities and ranges of Real-ESRGAN's x4plus options.

    Args:
        seed: 0 <= seed < 2**63, derived by the caller from the image id.
    """
    draws = Draws(seed)
    first = _draw_stage(draws, sigma=(0.2, 3.0), ratio=(0.15, 1.5), odds=(0.2, 0.7, 0.1), gauss=30, poisson=3.0)
    second = _draw_stage(
        draws, sigma=(0.2, 1.5), ratio=(0.3, 1.2), odds=(0.3, 0.4, 0.3), gauss=25, poisson=2.5, blur=0.8
    )
    sinc = SincBlur(size=draws.choice(_KERNEL_SIZES), cutoff=draws.uniform(math.pi / 3, math.pi))
    return RealEsrganDegradation(
        first=first,
        second=second,
        final_interpolation=draws.choice(_INTERPOLATIONS),
        final_sinc=sinc if draws.chance(0.8) else None,
        jpeg_last=draws.chance(0.5),
    )


def _draw_stage(
    draws: Draws,
    *,
    sigma: tuple[float, float],
    ratio: tuple[float, float],
    odds: tuple[float, float, float],
    gauss: float,
    poisson: float,
    blur: float = 1.0,
) -> Stage:
    kernel = _draw_blur(draws, sigma)
    keep_blur = draws.chance(blur)
    direction = draws.choice(("up", "down", "keep"), odds)
    bounds = {"up": (1.0, ratio[1]), "down": (ratio[0], 1.0), "keep": (1.0, 1.0)}[direction]
    side, interpolation = draws.uniform(*bounds), draws.choice(_INTERPOLATIONS)
    if draws.chance(0.5):
        kind, strength = "gaussian", draws.uniform(1.0, gauss)
    else:
        kind, strength = "poisson", draws.uniform(0.05, poisson)
    noise = Noise(kind=kind, strength=strength, gray=draws.chance(0.4), seed=draws.seed())
    quality = draws.choice(range(30, 96))
    return Stage(
        blur=kernel if keep_blur else None, ratio=side, interpolation=interpolation, noise=noise, jpeg_quality=quality
    )


def _draw_blur(draws: Draws, sigma: tuple[float, float]) -> Blur:
    size = draws.choice(_KERNEL_SIZES)
    if draws.chance(0.1):
        return SincBlur(size=size, cutoff=draws.uniform(math.pi / 3 if size < 13 else math.pi / 5, math.pi))
    shape, round_ = draws.choice(_SHAPES, _SHAPE_WEIGHTS)
    first, second = draws.uniform(*sigma), draws.uniform(*sigma)
    theta = draws.uniform(-math.pi, math.pi)
    below, upper, high = draws.chance(0.5), 4.0 if shape == "generalised" else 2.0, 1.0
    low = 0.5 if shape == "generalised" else 1.0
    beta = draws.uniform(low, high) if below else draws.uniform(high, upper)
    return GaussianBlur(
        size=size,
        sigma_1=first,
        sigma_2=first if round_ else second,
        theta=0.0 if round_ else theta,
        shape=shape,
        beta=1.0 if shape == "gaussian" else beta,
    )


def _resize(image: Float64, size: Size, interpolation: Interpolation) -> Float64:
    """As torch's `interpolate` without antialiasing; OpenCV's cubic is the same one (a = -0.75)."""
    if interpolation == "area":
        return area(image, size)
    flag = cv2.INTER_CUBIC if interpolation == "bicubic" else cv2.INTER_LINEAR
    return cv2.resize(image, (size[1], size[0]), interpolation=flag).astype(np.float64)


def _u8(image: Float64) -> NDArray[np.uint8]:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _jpeg(image: Float64, quality: int) -> Float64:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(_u8(image)).save(stream, format="JPEG", quality=quality)
    decoded: NDArray[Any] = np.asarray(Image.open(stream))
    return decoded / 255.0
