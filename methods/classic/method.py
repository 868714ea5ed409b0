"""Nearest, bilinear, bicubic and Lanczos under the `Method` contract: float64 inside, unrounded and unclipped."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch

from bench.api import Method, MethodInfo, Size, Upscaled
from bench.imaging.resize import interpolate
from methods.classic.info import BICUBIC, BILINEAR, LANCZOS, NEAREST


class Interpolation(Method):
    """One kernel. It always computes on the CPU: the result must not depend on the device."""

    kernel: ClassVar[Literal["nearest", "bilinear", "bicubic", "lanczos"]]

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """Resize each channel; equal channels (a luma protocol) are computed once."""
        planes = lr.cpu().numpy()
        if np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2]):
            luma = interpolate(planes[0].astype(np.float64), size, self.kernel).astype(np.float32)
            return Upscaled(torch.from_numpy(luma).expand(3, *size))
        sr = np.empty((3, *size), np.float32)
        for channel, plane in zip(sr, planes, strict=True):
            channel[:] = interpolate(plane.astype(np.float64), size, self.kernel)
        return Upscaled(torch.from_numpy(sr))


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
