"""Blur kernels as data, and the one convolution that applies them.

Sources: Gaussian, generalised Gaussian and plateau kernels and their parameters from Real-ESRGAN (Wang et al. 2021) and
Liu et al. 2020; the circular low pass ("sinc") from its Bessel form; DASR (Wang et al. 2021) for the anisotropic one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.imaging.errors import ImageError

Float64 = NDArray[np.float64]
BlurShape = Literal["gaussian", "generalised", "plateau"]


@dataclass(frozen=True, kw_only=True)
class GaussianBlur:
    """An anisotropic Gaussian, or one of its two relatives.

    Attributes:
        size: Side of the kernel in pixels, odd.
        sigma_1: Standard deviation along the first principal axis, in pixels.
        sigma_2: The same along the second.
        theta: Angle of the first axis against the x axis (columns), towards the y axis (rows, downwards), in radians.
        shape: With q = a' S^-1 a: "gaussian" exp(-q / 2), "generalised" exp(-q^beta / 2), "plateau" 1 / (1 + q^beta).
        beta: The exponent; 1 for the Gaussian.
    """

    size: int
    sigma_1: float
    sigma_2: float
    theta: float
    shape: BlurShape = "gaussian"
    beta: float = 1.0

    def covariance(self) -> Float64:
        """The 2 x 2 covariance R diag(sigma^2) R' in (x, y)."""
        cos, sin = math.cos(self.theta), math.sin(self.theta)
        rotation = np.array([[cos, -sin], [sin, cos]])
        return rotation @ np.diag([self.sigma_1**2, self.sigma_2**2]) @ rotation.T

    def kernel(self) -> Float64:
        """(size, size) float64 that sums to 1, indexed [y, x]."""
        y, x = _offsets(self.size)
        inverse = np.linalg.inv(self.covariance())
        form = np.maximum(inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y, 0) ** self.beta
        values = 1 / (1 + form) if self.shape == "plateau" else np.exp(-0.5 * form)
        return values / values.sum()


@dataclass(frozen=True, kw_only=True)
class SincBlur:
    """A circular ideal low pass, which rings as sharpened and compressed images do.

    Attributes:
        size: Side of the kernel in pixels, odd.
        cutoff: Cut-off in radians per pixel, up to pi.
    """

    size: int
    cutoff: float

    def kernel(self) -> Float64:
        """(size, size) float64 that sums to 1; some values are negative."""
        from scipy.special import j1

        y, x = _offsets(self.size)
        radius = np.hypot(y, x)
        away = np.where(radius == 0, 1.0, radius)
        ring = self.cutoff * j1(self.cutoff * away) / (2 * math.pi * away)
        values = np.where(radius == 0, self.cutoff**2 / (4 * math.pi), ring)
        return values / values.sum()


def apply_kernel(image: NDArray[Any], kernel: Float64) -> Float64:
    """Convolve every channel with a kernel (a true convolution: a point becomes the kernel, unflipped).

    Args:
        image: (H, W) or (H, W, C), any real dtype and range.
        kernel: (k, k') with odd sides, indexed [y, x].
    Returns:
        float64 of the image's shape; the border is reflected without repeating the edge pixel.
    Raises:
        ImageError: an empty image or an even-sided kernel.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"expected a non-empty image (H, W) or (H, W, C), got shape {image.shape}")
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        raise ImageError(f"expected a two-dimensional kernel with odd sides, got shape {kernel.shape}")
    flipped = np.ascontiguousarray(kernel[::-1, ::-1], dtype=np.float64)  # OpenCV correlates
    source = np.ascontiguousarray(image, dtype=np.float64)
    blurred = cv2.filter2D(source, cv2.CV_64F, flipped, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, dtype=np.float64).reshape(image.shape)


def _offsets(size: int) -> tuple[Float64, Float64]:
    if size < 1 or size % 2 == 0:
        raise ImageError(f"expected an odd kernel size, got {size}")
    axis = np.arange(size, dtype=np.float64) - size // 2
    return axis[:, None], axis[None, :]
