"""Bicubic resampling as matrices: any window of the result, the exact adjoint, gradients, and no dense 8K matrix.

The weights are those of `bench.imaging.weights` (MATLAB's bicubic, a = -0.5, antialiased where an axis shrinks), in
float32. The same downsampler makes the LR images of the classic protocols.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import torch
from scipy.sparse import csr_array

from bench.api import Size
from bench.imaging.weights import kernel_matrix

Span = tuple[int, int]
"""[first, last + 1)."""
_DENSE = 1024
"""Up to this length an axis is resampled by a dense matrix."""


def resample(image: torch.Tensor, size: Size) -> torch.Tensor:
    """The whole image at a size.

    Args:
        image: (B, C, h, w).
        size: (H, W); per axis larger or smaller.
    Returns:
        (B, C, H, W), not clipped; gradients flow.
    """
    rows = _matrix(image.shape[-2], size[0], transposed=False)
    columns = _matrix(image.shape[-1], size[1], transposed=False)
    # shrink first, grow last: fewer pixels in between
    if size[0] <= image.shape[-2]:
        return _along_columns(columns, _along_rows(rows, image))
    return _along_rows(rows, _along_columns(columns, image))


def adjoint(image: torch.Tensor, size: Size) -> torch.Tensor:
    """The transpose of `resample` from `size` to the size of the image.

    Args:
        image: (B, C, h, w).
        size: (H, W) of what was resampled to (h, w).
    Returns:
        (B, C, H, W) with <resample(x), image> = <x, adjoint(image)> for every x.
    """
    rows = _matrix(size[0], image.shape[-2], transposed=True)
    columns = _matrix(size[1], image.shape[-1], transposed=True)
    return _along_rows(rows, _along_columns(columns, image))


def needed(length: int, out: int, span: Span) -> Span:
    """The samples of an axis that a span of its resampled self reads.

    Args:
        length, out: Samples of the axis before and after.
        span: Of the result.
    """
    used = kernel_matrix(length, out, "bicubic", True, "float32")[span[0] : span[1]].indices
    return int(used.min()), int(used.max()) + 1


def resample_window(part: torch.Tensor, lr_size: Size, size: Size, rows: Span, columns: Span) -> torch.Tensor:
    """A window of `resample(image, size)`, from the part of the image that it reads.

    Args:
        part: (B, C, ., .), the rows and columns of the image that `needed` names.
        lr_size: (h, w) of the whole image.
        size: (H, W) of the whole result.
        rows, columns: Of the result.
    Returns:
        (B, C, rows, columns).
    """
    down = _part(lr_size[0], size[0], rows).to(part)
    across = _part(lr_size[1], size[1], columns).to(part)
    return down @ part @ across.T


def _part(length: int, out: int, span: Span) -> torch.Tensor:
    matrix = kernel_matrix(length, out, "bicubic", True, "float32")[span[0] : span[1]]
    first, last = needed(length, out, span)
    return torch.from_numpy(matrix[:, first:last].toarray())


@lru_cache(maxsize=32)
def _matrix(length: int, out: int, *, transposed: bool) -> torch.Tensor:
    found: csr_array = kernel_matrix(length, out, "bicubic", True, "float32")
    if transposed:
        found = found.T.tocsr()
    with torch.inference_mode(False):  # kept tensors must serve gradients too
        if max(length, out) <= _DENSE:
            return torch.from_numpy(found.toarray())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")  # that this layout is young
            return torch.sparse_csr_tensor(
                torch.from_numpy(found.indptr.astype(np.int64)),
                torch.from_numpy(found.indices.astype(np.int64)),
                torch.from_numpy(found.data),
                size=found.shape,
            )


def _along_rows(matrix: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    matrix = matrix.to(image)
    if matrix.layout == torch.strided:
        return matrix @ image
    batch, channels, _, width = image.shape
    flat = image.permute(2, 0, 1, 3).reshape(image.shape[2], -1)
    return (matrix @ flat).reshape(-1, batch, channels, width).permute(1, 2, 0, 3)


def _along_columns(matrix: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    return _along_rows(matrix, image.transpose(-2, -1)).transpose(-2, -1)
