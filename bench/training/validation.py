"""Validation while training: PSNR on studio luma as the classic tables have it, and its gain over bicubic.

LR is MATLAB's bicubic in 8 bit, SR is rounded to 8-bit RGB, luma is unrounded BT.601 studio Y, the border of
ceil(scale) pixels is ignored: the protocol `basicsr-y`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import Scale, format_scale, lr_size, shave_pixels, sr_size
from bench.api.sizes import Border, border_size
from bench.data.images import image_files
from bench.imaging.colour import studio_luma
from bench.imaging.resize import imresize_u8
from bench.training.images import read_rgb

Upscale = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]
"""(1, 3, h, w) in [0, 1] and (H, W) -> (1, 3, H, W)."""


@dataclass(frozen=True)
class ValidationPair:
    """lr: (1, 3, h, w) in [0, 1]; luma: of the HR image; bicubic: its PSNR."""

    lr: torch.Tensor
    luma: NDArray[np.float64]
    bicubic: float


class SetValidation:
    """A folder of HR images at a few scales; the pairs are made once."""

    def __init__(self, folder: Path, scales: Sequence[Scale] = (2.0, 3.0, 4.0)) -> None:
        self.name = folder.name
        images = [read_rgb(path) for path in image_files(folder)]
        self._pairs = {scale: [_pair(image, scale) for image in images] for scale in scales}

    def run(self, upscale: Upscale) -> dict[str, float]:
        """Score a model.

        Args:
            upscale: The model.
        Returns:
            "SET/psnr_y_xS" and "SET/gain_xS" (over bicubic), means over the images, in dB.
        """
        found = {}
        for scale, pairs in self._pairs.items():
            values = [_psnr_y(_to_u8(upscale(p.lr, p.luma.shape)), p.luma, shave_pixels("s", scale)) for p in pairs]  # pyright: ignore[reportArgumentType]
            mean, bicubic = float(np.mean(values)), float(np.mean([p.bicubic for p in pairs]))
            found[f"{self.name}/psnr_y_x{format_scale(scale)}"] = mean
            found[f"{self.name}/gain_x{format_scale(scale)}"] = mean - bicubic
        return found


def _pair(image: NDArray[np.uint8], scale: Scale) -> ValidationPair:
    small = lr_size((image.shape[0], image.shape[1]), scale)
    size = sr_size(small, scale)
    hr = image[: size[0], : size[1]]
    lr = imresize_u8(hr, small)
    luma = studio_luma(hr)
    tensor = torch.from_numpy(lr).permute(2, 0, 1)[None].float() / 255
    return ValidationPair(tensor, luma, _psnr_y(imresize_u8(lr, size), luma, shave_pixels("s", scale)))


def _to_u8(image: torch.Tensor) -> NDArray[np.uint8]:
    return (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()


def _psnr_y(sr: NDArray[np.uint8], luma: NDArray[np.float64], shave: Border) -> float:
    top, left = border_size(shave)
    error = (studio_luma(sr) - luma)[top : -top or None, left : -left or None]
    return 10 * math.log10(255**2 / max(float(np.mean(error**2)), 1e-10))
