"""The named downsamplers of published protocols, each exactly as its library does it.

What they differ in (borders, two-pass rounding, kernels) is worth up to 17 grey levels at the LR border and nothing in
the interior, except OpenCV's area average, which is another kernel.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.imaging.errors import ImageError
from bench.imaging.resize import Factor, Size, imresize, imresize_u8

DownsampleKernel = Literal["matlab-bicubic", "pillow-bicubic", "torch-bicubic", "opencv-area"]
Depth = Literal["u8", "float"]


def downsample(
    image: NDArray[np.uint8],
    size: Size,
    *,
    kernel: DownsampleKernel,
    depth: Depth = "u8",
    scale: Factor | None = None,
) -> NDArray[np.float32]:
    """Make an LR image.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        size: LR (height, width), at least 1 x 1.
        kernel: matlab-bicubic: `imresize`; pillow-bicubic: Pillow's BICUBIC; torch-bicubic: torch's antialiased
            bicubic on the CPU; opencv-area: INTER_AREA.
        depth: "u8": the values that an 8-bit LR file would hold, rounded where the library rounds; "float": unrounded.
        scale: matlab-bicubic only: the factor (at least 1) by which both axes shrink, or (height, width) each, where it
            is not shape / size.
    Returns:
        (h, w[, 3]) float32 on the scale 0..255; "float" is not clipped, so bicubic may overshoot by a few levels.
    Raises:
        ImageError: not an 8-bit image, a size below 1, or an unknown kernel or depth.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"downsample expects a uint8 image (H, W) or (H, W, 3), got {image.dtype} {image.shape}")
    if min(size) < 1:
        raise ImageError(f"the LR image would be empty: {size[0]} x {size[1]} from {image.shape[0]} x {image.shape[1]}")
    if kernel not in _DOWNSAMPLERS:
        raise ImageError(f"unknown downsampler '{kernel}': expected one of {', '.join(_DOWNSAMPLERS)}")
    if depth not in get_args(Depth):
        raise ImageError(f"unknown LR depth '{depth}': expected 'u8' or 'float'")
    whole = (int(size[0]), int(size[1]))
    if scale is None:
        lr = _DOWNSAMPLERS[kernel](image, whole, depth == "u8")
    elif kernel == "matlab-bicubic":
        shrunk = (1 / scale[0], 1 / scale[1]) if isinstance(scale, tuple) else 1 / scale
        lr = _matlab(image, whole, depth == "u8", shrunk)
    else:
        raise ImageError(f"{kernel} shrinks to a size, not by a factor: only matlab-bicubic has a nominal grid")
    return np.ascontiguousarray(lr, dtype=np.float32)


def _matlab(image: NDArray[np.uint8], size: Size, rounded: bool, scale: Factor | None = None) -> NDArray[Any]:
    return imresize_u8(image, size, scale=scale) if rounded else imresize(image, size, scale=scale)


def _pillow(image: NDArray[np.uint8], size: Size, rounded: bool) -> NDArray[Any]:
    return pillow_bicubic(image, size) if rounded else _pillow_float(image, size)


def pillow_bicubic(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Pillow's antialiased BICUBIC in 8 bit (both passes rounded by Pillow); (H, W) or (H, W, 3) uint8."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _pillow_float(image: NDArray[np.uint8], size: Size) -> NDArray[np.float32]:
    from PIL import Image

    planes = image[:, :, None] if image.ndim == 2 else image
    small = [
        np.asarray(
            Image.fromarray(planes[:, :, c].astype(np.float32)).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        )
        for c in range(planes.shape[2])
    ]
    return small[0] if image.ndim == 2 else np.stack(small, axis=2)


def _torch(image: NDArray[np.uint8], size: Size, rounded: bool) -> NDArray[np.float32]:
    import torch

    planes = image[:, :, None] if image.ndim == 2 else image
    tensor = torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1))).float()[None]
    # On the CPU on purpose: the CUDA kernel refuses large ratios.
    small = torch.nn.functional.interpolate(tensor, size=size, mode="bicubic", antialias=True, align_corners=False)
    lr = small[0].permute(1, 2, 0).numpy().reshape((*size, *image.shape[2:]))
    return np.clip(np.rint(lr), 0, 255) if rounded else lr


def _opencv_area(image: NDArray[np.uint8], size: Size, rounded: bool) -> NDArray[Any]:
    source = image if rounded else image.astype(np.float32)
    return cv2.resize(source, size[::-1], interpolation=cv2.INTER_AREA)


_DOWNSAMPLERS = {
    "matlab-bicubic": _matlab,
    "pillow-bicubic": _pillow,
    "torch-bicubic": _torch,
    "opencv-area": _opencv_area,
}
