"""The second-order degradation of Real-ESRGAN as data: what was drawn, and its application with an exact LR size.

Source: Wang et al. 2021 and its published code: the order of the steps and their arithmetic; `real_esrgan_recipe` draws
the parameters. [inferred] where this differs: JPEG is Pillow's, qualities are whole numbers, a resize goes by its whole
sides (torch's keeps the drawn ratio, less than a pixel apart), the LR size is given exactly.
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
from bench.imaging.kernels import GaussianBlur, SincBlur, apply_kernel
from bench.imaging.resize import Size, area

Float64 = NDArray[np.float64]
Blur = GaussianBlur | SincBlur
Interpolation = Literal["area", "bilinear", "bicubic"]

INTERPOLATIONS: tuple[Interpolation, ...] = ("area", "bilinear", "bicubic")
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
    """Blur, resize, noise, JPEG; each of them may be skipped (None).

    Attributes:
        blur: Convolved with first.
        ratio: Side of the resized image over that of the HR image (first stage) or of the LR image (second stage).
        interpolation: Of the resize; none of the three is antialiased beyond what "area" averages.
        noise: Added after the resize.
        jpeg_quality: Pillow's quality.
    """

    blur: Blur | None
    ratio: float | None
    interpolation: Interpolation
    noise: Noise | None
    jpeg_quality: int | None

    def before_jpeg(self, image: Float64, base: Size) -> Float64:
        """The stage up to its JPEG; `base` is the size that `ratio` refers to."""
        if self.blur is not None:
            image = apply_kernel(image, self.blur.kernel())
        if self.ratio is not None:
            size = (max(int(base[0] * self.ratio), 1), max(int(base[1] * self.ratio), 1))
            image = _resize(image, size, self.interpolation)
        return image if self.noise is None else self.noise.apply(image)

    def compress(self, image: Float64) -> Float64:
        """The stage's JPEG, which clips and rounds to 8 bit; the image as it is where there is none."""
        return image if self.jpeg_quality is None else _jpeg(image, self.jpeg_quality)


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
        image = self.second.before_jpeg(self.first.compress(image), lr_size)
        if self.jpeg_last:
            image = self.second.compress(self._finish(image, lr_size))
        else:
            image = self._finish(self.second.compress(image), lr_size)
        return _u8(image)

    def _finish(self, image: Float64, lr_size: Size) -> Float64:
        image = _resize(image, lr_size, self.final_interpolation)
        return image if self.final_sinc is None else apply_kernel(image, self.final_sinc.kernel())


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
    Image.fromarray(_u8(image)).save(stream, format="JPEG", quality=quality, subsampling="4:2:0")
    decoded: NDArray[Any] = np.asarray(Image.open(stream))
    return decoded / 255.0
