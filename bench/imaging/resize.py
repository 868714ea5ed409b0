"""MATLAB's `imresize`, exactly and fast: two sparse one-dimensional passes over cache-sized strips.

Source: MATLAB's documented behaviour; equal to LR images that MATLAB wrote (tests/imaging/test_resize.py). The axis
with the smaller scale goes first, the rows on a tie; the 8-bit path rounds half away from zero after each pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bench.imaging.errors import ImageError
from bench.imaging.weights import Kernel, average_matrix, kernel_matrix

Float64 = NDArray[np.float64]
Size = tuple[int, int]
"""(height, width)."""
Factor = float | tuple[float, float]
"""What both axes are multiplied by, or (height, width) each."""

MatrixOf = Callable[[int, int, float | None], csr_array]
"""(length, out_length, factor of the grid where it is not their ratio) -> the weights of one axis."""

_COLUMN_STRIP = 2048
"""Values per strip of the vertical pass: rows of that length stay in the first-level cache."""
_ROW_STRIP_BYTES = 2 << 20
"""Bytes of one strip of the horizontal pass, which is transposed there and back inside the second-level cache."""


def imresize(image: NDArray[Any], size: Size, *, antialias: bool = True, scale: Factor | None = None) -> Float64:
    """Resize with MATLAB's bicubic `imresize`, in floating point.

    Args:
        image: (H, W) or (H, W, C), any real dtype and range.
        size: Output (height, width); the scale per axis is size / shape.
        antialias: Widen the kernel when shrinking, as MATLAB does unless told otherwise.
        scale: The factor of both axes, or (height, width) of each, where it is not size / shape, as in
            `imresize(image, 1/3)`, whose size is ceil(shape / 3).
    Returns:
        (height, width[, C]) float64, not clipped.
    Raises:
        ImageError: an empty image, another number of axes, or a size below 1.
    """
    return _separable(image, size, _bicubic(antialias), np.dtype(np.float64), scale=scale)


def resized_rows(
    image: NDArray[Any],
    size: Size,
    start: int,
    stop: int,
    *,
    levels: float = 1.0,
    dtype: Literal["float64", "float32"] = "float64",
) -> NDArray[Any]:
    """Rows [start, stop) of `interpolate(image / levels, size, "bicubic")`, bit for bit, of the rows that they need.

    Args:
        image: (H, W) or (H, W, C), any real dtype and range.
        size: Output (height, width).
        start, stop: Output rows, at least one of them.
        levels: What the image is divided by, in the type computed in.
        dtype: The type computed in.
    Returns:
        (stop - start, width[, C]) of `dtype`, not clipped.
    """
    (height, width), (out_height, out_width) = image.shape[:2], size
    first, last, passes = start, stop, []
    if out_width != width:
        passes.append((_resize_columns, out_width, kernel_matrix(width, out_width, "bicubic", True, dtype)))
    if out_height != height:
        rows = kernel_matrix(height, out_height, "bicubic", True, dtype)[start:stop]
        first, last = int(rows.indices.min()), int(rows.indices.max()) + 1
        # the axis with the smaller scale goes first, the rows on a tie
        after = out_width / width < out_height / height
        passes.insert(len(passes) if after else 0, (_resize_rows, stop - start, rows[:, first:last]))
    planes = np.divide(image[first:last], levels, dtype=dtype)
    planes = planes if image.ndim == 3 else planes[:, :, None]
    for resize, length, matrix in passes:
        planes = resize(planes, length, matrix, np.dtype(dtype))
    return planes if image.ndim == 3 else planes[:, :, 0]


def imresize_u8(
    image: NDArray[np.uint8], size: Size, *, antialias: bool = True, scale: Factor | None = None
) -> NDArray[np.uint8]:
    """MATLAB's bicubic `imresize` of a uint8 image: rounded (half away from zero) and clipped after each pass.

    Args:
        image: (H, W) or (H, W, C) uint8.
        size: Output (height, width).
        antialias, scale: As in `imresize`.
    Returns:
        (height, width[, C]) uint8, bit for bit what MATLAB gives.
    Raises:
        ImageError: not uint8, or as in `imresize`.
    """
    if image.dtype != np.uint8:
        raise ImageError(f"imresize_u8 expects uint8 pixels, got {image.dtype}; use imresize for other types")
    return _separable(image, size, _bicubic(antialias), np.dtype(np.uint8), scale=scale)


def interpolate(
    image: NDArray[Any],
    size: Size,
    kernel: Kernel,
    *,
    antialias: bool | None = None,
    dtype: Literal["float64", "float32"] = "float64",
) -> NDArray[Any]:
    """Resize with one of MATLAB's kernels.

    Args:
        image: (H, W) or (H, W, C), any real dtype and range.
        size: Output (height, width).
        kernel: "nearest", "bilinear", "bicubic" or "lanczos" (MATLAB's lanczos3).
        antialias: None: MATLAB's default, which is True for all but "nearest".
        dtype: The type computed in; "float32" halves time and memory and errs by about 1e-6 of the range.
    Returns:
        (height, width[, C]) of `dtype`, not clipped.
    Raises:
        ImageError: as in `imresize`, or an unknown kernel.
    """
    widen = kernel != "nearest" if antialias is None else antialias
    return _separable(image, size, lambda a, b, _: kernel_matrix(a, b, kernel, widen, dtype), np.dtype(dtype))


def area(image: NDArray[Any], size: Size) -> Float64:
    """Adaptive averaging, as torch's `interpolate(mode="area")`; arguments and errors as in `imresize`."""
    return _separable(image, size, lambda a, b, _: average_matrix(a, b), np.dtype(np.float64))


def _bicubic(antialias: bool) -> MatrixOf:
    return lambda length, out_length, scale: kernel_matrix(length, out_length, "bicubic", antialias, "float64", scale)


def _separable(
    image: NDArray[Any],
    size: Size,
    matrix: MatrixOf,
    dtype: np.dtype[Any],
    *,
    scale: Factor | None = None,
) -> NDArray[Any]:
    """Args: scale: as in `imresize`; the axis of the smaller factor goes first, the rows where both are equal, and
    equal sizes are no sign of nothing to do."""
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ImageError(f"expected a non-empty image (H, W) or (H, W, C), got shape {image.shape}")
    if len(size) != 2 or min(size) < 1:
        raise ImageError(f"expected an output (height, width) of at least 1 x 1, got {tuple(size)}")
    (height, width), (out_height, out_width) = image.shape[:2], (int(size[0]), int(size[1]))
    scaled = scale is not None
    down, across = (scale, scale) if scale is None or isinstance(scale, float | int) else scale
    rows = out_height / height <= out_width / width if down is None or across is None else down <= across
    planes = image if image.ndim == 3 else image[:, :, None]
    for vertical in (rows, not rows):
        if vertical and (scaled or out_height != height):
            planes = _resize_rows(planes, out_height, matrix(height, out_height, down), dtype)
        elif not vertical and (scaled or out_width != width):
            planes = _resize_columns(planes, out_width, matrix(width, out_width, across), dtype)
    result = np.array(planes, dtype=dtype) if planes.base is image or planes is image else planes
    return result if image.ndim == 3 else result[:, :, 0]


def _resize_rows(image: NDArray[Any], out_height: int, matrix: csr_array, dtype: np.dtype[Any]) -> NDArray[Any]:
    height, width, channels = image.shape
    flat = np.ascontiguousarray(image).reshape(height, width * channels)
    out = np.empty((out_height, width * channels), dtype)
    step = _COLUMN_STRIP if flat.shape[1] > 2 * _COLUMN_STRIP else flat.shape[1]
    for start in range(0, flat.shape[1], step):
        strip = np.ascontiguousarray(flat[:, start : start + step], dtype=matrix.dtype)
        out[:, start : start + step] = _rounded(matrix @ strip, dtype)
    return out.reshape(out_height, width, channels)


def _resize_columns(image: NDArray[Any], out_width: int, matrix: csr_array, dtype: np.dtype[Any]) -> NDArray[Any]:
    height, width, channels = image.shape
    out = np.empty((height, out_width, channels), dtype)
    row_bytes = max(width, out_width) * channels * matrix.dtype.itemsize
    step = max(_ROW_STRIP_BYTES // row_bytes, 8)
    for start in range(0, height, step):
        strip = np.ascontiguousarray(image[start : start + step], dtype=matrix.dtype)
        rows = strip.shape[0]
        columns = cv2.transpose(strip).reshape(width, rows * channels)
        mixed = _rounded(matrix @ columns, dtype).reshape(out_width, rows, channels)
        out[start : start + step] = cv2.transpose(mixed).reshape(rows, out_width, channels)
    return out


def _rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype != np.uint8:
        return values
    values += 0.5
    return np.clip(values, 0, 255, out=values).astype(np.uint8)
