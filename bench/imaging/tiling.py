"""Upscaling a large image in feathered tiles at any ratio, with a smaller tile when memory runs out.

torch is only imported once there is an image. The geometry is in `tiles`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.imaging.errors import ImageError
from bench.imaging.tiles import plan_axis

if TYPE_CHECKING:
    import torch

    from bench.imaging.resize import Size

    Upscale = Callable[[torch.Tensor, Size], torch.Tensor]

_OUT_OF_MEMORY = ("not enough memory", "can't allocate", "out of memory", "alloc_failed", "cannot allocate memory")


def tiled(fn: Upscale, lr: torch.Tensor, size: Size, *, tile: int, overlap: int = 16) -> torch.Tensor:
    """Upscale tile by tile and blend.

    Args:
        fn: `fn(lr_tile, (H, W))` gives the tile at exactly that size; called with views of `lr`.
        lr: (C, h, w).
        size: (height, width) of the result; the ratio may be fractional and differ per axis.
        tile: Longest side of a tile in LR pixels.
        overlap: Least overlap in LR pixels; reduced to half the tile where the tile is small.
    Returns:
        (C, height, width) on the device of `fn`'s results. Where the ratio allows cuts on whole HR pixels within the
        freedom that tile and overlap leave (every integer ratio, 2.5, 3.3, ...), tiles are exactly on the grid;
        elsewhere they are off by less than half an HR pixel, typically by a few hundredths.
    Raises:
        ImageError: an empty image, a tile below 2, or a tile result of another shape.
    """
    import torch

    if lr.ndim != 3 or 0 in lr.shape or min(size) < 1 or tile < 2 or overlap < 0:
        raise ImageError(
            "expected (C, h, w), a size of at least 1 x 1, a tile of at least 2 and no negative overlap, "
            f"got {tuple(lr.shape)}, {size}, {tile} and {overlap}"
        )
    overlap = min(overlap, tile // 2)
    rows = plan_axis(lr.shape[1], size[0], tile=tile, overlap=overlap)
    columns = plan_axis(lr.shape[2], size[1], tile=tile, overlap=overlap)
    out: torch.Tensor | None = None
    for row in rows:
        for column in columns:
            (y0, y1), (x0, x1) = row.hr, column.hr
            part = fn(lr[:, row.lr[0] : row.lr[1], column.lr[0] : column.lr[1]], (y1 - y0, x1 - x0))
            if part.ndim != 3 or part.shape[1:] != (y1 - y0, x1 - x0):
                raise ImageError(f"expected a tile of {y1 - y0} x {x1 - x0}, got {tuple(part.shape)}")
            if out is None:
                out = torch.zeros((part.shape[0], *size), dtype=part.dtype, device=part.device)
            down = torch.as_tensor(row.weights, dtype=part.dtype, device=part.device)[:, None]
            across = torch.as_tensor(column.weights, dtype=part.dtype, device=part.device)
            out[:, y0:y1, x0:x1] += part * down * across
    assert out is not None  # there is at least one tile
    return out


def with_backoff(
    fn: Upscale, lr: torch.Tensor, size: Size, *, tile: int | None = None, overlap: int = 16, smallest: int = 32
) -> tuple[torch.Tensor, int | None]:
    """Upscale whole, or in tiles as large as the memory allows.

    Args:
        fn: As in `tiled`.
        lr: (C, h, w).
        size: (height, width) of the result.
        tile: Start with this tile; None: try the whole image first.
        overlap: As in `tiled`.
        smallest: The tile below which out of memory is given up on.
    Returns:
        The image, and the tile that was used (None: whole).
    Raises:
        ImageError: as in `tiled`.
        The out-of-memory error itself, once tiles of `smallest` fail too. Other errors of `fn` pass through.
    """
    longest = max(lr.shape[-2:])
    while True:
        try:
            if tile is None or tile >= longest:
                return fn(lr, size), None
            return tiled(fn, lr, size, tile=tile, overlap=overlap), tile
        except (MemoryError, RuntimeError) as fault:
            if not is_out_of_memory(fault):
                raise
            current = min(tile or longest, longest)
            if current <= smallest:
                raise
            tile = max(math.ceil(current / 2), smallest)
        # Outside the handler, where the traceback no longer holds the failed attempt's tensors.
        _free_device_memory()


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether an error says that the host's or a device's memory is exhausted."""
    if isinstance(fault, MemoryError) or type(fault).__name__ in ("OutOfMemoryError", "AcceleratorOutOfMemoryError"):
        return True
    return isinstance(fault, RuntimeError) and any(words in str(fault).lower() for words in _OUT_OF_MEMORY)


def _free_device_memory() -> None:
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
