"""Interpolating an RGB tensor plane by plane; three equal planes (a gray image, a luma protocol) are computed once.

torch is only imported once there is an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.imaging.resize import Size, interpolate
from bench.imaging.weights import Kernel

if TYPE_CHECKING:
    import torch


def resize_planes(image: torch.Tensor, size: Size, kernel: Kernel) -> torch.Tensor:
    """Resize with one of MATLAB's kernels, on the CPU, so that the result does not depend on the device.

    Args:
        image: (3, h, w), any range, on any device.
        size: (height, width) of the result.
        kernel: The interpolation kernel.
    Returns:
        float32 (3, height, width) on the CPU, computed in float64, not clipped; equal planes share their memory.
    """
    import torch

    planes = image.detach().cpu().float().numpy()
    if np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2]):
        plane = interpolate(planes[0], size, kernel).astype(np.float32)
        return torch.from_numpy(plane).expand(3, *size)
    result = np.empty((3, *size), np.float32)
    for out, plane in zip(result, planes, strict=True):
        out[:] = interpolate(plane, size, kernel)
    return torch.from_numpy(result)
