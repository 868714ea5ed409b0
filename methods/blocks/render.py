"""Rendering a continuous image: in chunks of queries, and in windows of the LR image that change nothing.

A window is a rectangle of LR pixels. Features are computed on it and on as many pixels around it as its values depend
on (the exact receptive field), so the image is that of one pass, and the memory is bounded by window and chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from methods.blocks.coordinates import Size, Window, coord_at

Span = tuple[int, int]
"""[first, last + 1)."""


@dataclass(frozen=True)
class Part:
    """A piece of the output and what it needs.

    Attributes:
        rows, columns: Output pixels.
        seen: The LR window to compute features on.
    """

    rows: Span
    columns: Span
    seen: Window


def plan_parts(lr_size: Size, size: Size, *, tile: int | None, reach: int) -> Iterator[Part]:
    """Cut the output by the LR pixel that each of its pixels is nearest to.

    Args:
        lr_size: (h, w).
        size: (H, W) of the output.
        tile: Longest side of the LR rectangles; None: one part.
        reach: Pixels away that an LR pixel can still change a feature.
    Yields:
        Parts that cover the output once.
    Raises:
        ValueError: a tile below 1.
    """
    if tile is not None and tile < 1:
        raise ValueError(f"tile must be at least 1, got {tile}")
    axes = [_cut(lr, out, tile or lr, reach) for lr, out in zip(lr_size, size, strict=True)]
    for rows, (top, bottom) in axes[0]:
        for columns, (left, right) in axes[1]:
            yield Part(rows, columns, Window(top, left, bottom - top, right - left))


def _cut(lr: int, out: int, tile: int, reach: int) -> list[tuple[Span, Span]]:
    """(output span, LR span with everything that it depends on) along one axis."""
    found = []
    for first in range(0, lr, tile):
        last = min(first + tile, lr)
        # output pixel k is nearest to LR pixel floor((k + 0.5) * lr / out)
        span = (-(-(2 * first * out - lr) // (2 * lr)), -(-(2 * last * out - lr) // (2 * lr)))
        span = (max(span[0], 0), min(span[1], out))
        if span[0] < span[1]:
            # one more LR pixel on either side: the other neighbours of the ensemble
            found.append((span, (max(first - 1 - reach, 0), min(last + 1 + reach, lr))))
    return found


def in_windows(
    lr: torch.Tensor,
    size: Size,
    table: Callable[[torch.Tensor], torch.Tensor],
    query: Callable[[torch.Tensor, torch.Tensor, Window], torch.Tensor],
    *,
    tile: int | None,
    reach: int,
    chunk: int,
) -> torch.Tensor:
    """A whole image of three channels.

    Args:
        lr: (B, 3, h, w).
        size: (H, W) of the result.
        table: Makes of a window of `lr` what queries look up.
        query: (table, (B, Q, 2) float64 coordinates, the table's window) -> (B, Q, 3).
        tile: As in `plan_parts`.
        reach: Pixels away that an LR pixel can still change a row of the table.
        chunk: Queries at a time.
    Returns:
        (B, 3, H, W), the same for every tile and chunk but for float rounding.
    """
    batch = lr.shape[0]
    result = lr.new_empty((batch, 3, *size))
    for part in plan_parts((lr.shape[-2], lr.shape[-1]), size, tile=tile, reach=reach):
        seen = part.seen
        made = table(lr[..., seen.top : seen.top + seen.height, seen.left : seen.left + seen.width])

        def colours(coord: torch.Tensor, made: torch.Tensor = made, seen: Window = seen) -> torch.Tensor:
            return query(made, coord.expand(batch, -1, -1), seen)

        result[..., slice(*part.rows), slice(*part.columns)] = in_chunks(
            colours, size, chunk=chunk, device=lr.device, part=(part.rows, part.columns)
        )
    return result


def in_chunks(
    query: Callable[[torch.Tensor], torch.Tensor],
    size: Size,
    *,
    chunk: int,
    device: torch.device,
    part: tuple[Span, Span] | None = None,
) -> torch.Tensor:
    """Evaluate a query function on the pixel centres of an image.

    Args:
        query: (1, Q, 2) float64 coordinates -> (B, Q, C).
        size: (H, W) of the whole image.
        chunk: Queries per call.
        device: Where the coordinates are made.
        part: Rows and columns to evaluate, each [first, last + 1); None: all.
    Returns:
        (B, C, rows, columns).
    Raises:
        ValueError: chunk below 1.
    """
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    (top, bottom), (left, right) = part if part is not None else ((0, size[0]), (0, size[1]))
    width = right - left
    count = (bottom - top) * width
    image: torch.Tensor | None = None
    for start in range(0, count, chunk):
        index = torch.arange(start, min(start + chunk, count), device=device)
        if part is not None:
            row = torch.div(index, width, rounding_mode="floor")
            index = (row + top) * size[1] + index - row * width + left
        colours = query(coord_at(index, size)[None]).transpose(1, 2)
        if image is None:
            image = colours.new_empty((colours.shape[0], colours.shape[1], count))
        image[..., start : start + chunk] = colours
    if image is None:
        raise ValueError(f"nothing to query in an image of size {size}")
    return image.unflatten(2, (bottom - top, width))
