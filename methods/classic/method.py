"""Nearest, bilinear, bicubic and Lanczos under the `Method` contract: float64 inside, unrounded and unclipped."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench.api import Method, MethodInfo, Size, Upscaled
from bench.imaging.planes import resize_planes
from bench.imaging.weights import Kernel
from methods.classic.info import BICUBIC, BILINEAR, LANCZOS, NEAREST


class Interpolation(Method):
    """One kernel."""

    kernel: ClassVar[Kernel]

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """Resize."""
        return Upscaled(resize_planes(lr, size, self.kernel))


class Nearest(Interpolation):
    """Nearest neighbour."""

    info: ClassVar[MethodInfo] = NEAREST.info
    kernel = "nearest"


class Bilinear(Interpolation):
    """Triangle kernel."""

    info: ClassVar[MethodInfo] = BILINEAR.info
    kernel = "bilinear"


class Bicubic(Interpolation):
    """Keys cubic, a = -0.5."""

    info: ClassVar[MethodInfo] = BICUBIC.info
    kernel = "bicubic"


class Lanczos(Interpolation):
    """Three-lobed Lanczos."""

    info: ClassVar[MethodInfo] = LANCZOS.info
    kernel = "lanczos"
