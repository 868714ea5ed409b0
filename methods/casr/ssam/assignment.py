"""Superpixels on a grid of cells: each pixel belongs to its own cell or to one of the eight around it.

Cells are n x n pixels from the top left corner; those at the bottom and right may be cut. Neighbours are numbered row
by row: 0 is the cell up and to the left, 4 the pixel's own, 8 down and to the right. Neighbours outside the grid are
never chosen. [inferred] Source: CASR section SSAM (hard assignment, region means); SuperPixel-FCN (Yang et al. 2020).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn import functional

from bench.api import Size

NEIGHBOURS = tuple((down, across) for down in (-1, 0, 1) for across in (-1, 0, 1))
"""Cell rows and columns from a pixel's own cell to neighbour 0..8."""
_STRIP = 1 << 22
"""Pixels that are compared at a time, so that 8K images need no ninefold memory."""


def grid_size(size: Size, n: int) -> Size:
    """Rows and columns of cells of an image of this (height, width)."""
    return -(-size[0] // n), -(-size[1] // n)


def parents(length: int, cells_of: int, n: int, device: torch.device | None = None) -> torch.Tensor:
    """The own cell of every pixel along an axis.

    Args:
        length: Pixels of the axis of the image to render.
        cells_of: Pixels of the axis of the image that the cells were made on; both are the same piece of the world.
        n: Side of a cell, in pixels of the latter.
        device: Of the result.
    Returns:
        (length,) int64.
    """
    at = torch.arange(length, device=device)
    # floor((i + 1/2) * cells_of / length), in whole numbers
    pixel = torch.div((2 * at + 1) * cells_of, 2 * length, rounding_mode="floor")
    return torch.div(pixel, n, rounding_mode="floor")


def masked(maps: torch.Tensor, n: int, value: float) -> torch.Tensor:
    """Nine maps with `value` wherever a neighbour lies outside the grid.

    Args:
        maps: (B, 9, h, w) on the image that the cells lie on.
        n: Side of a cell.
        value: -inf for scores before a softmax, 0 for probabilities.
    """
    size = (maps.shape[-2], maps.shape[-1])
    return maps.masked_fill(~torch.stack([inside for *_, inside in _sides(size, size, n, maps.device)]), value)


def probabilities(scores: torch.Tensor, n: int) -> torch.Tensor:
    """Softmax over the neighbours that lie in the grid: (B, 9, h, w) scores -> (B, 9, h, w), 0 outside."""
    return masked(scores, n, -torch.inf).softmax(dim=1)


def choose(maps: torch.Tensor, size: Size, n: int, *, follow: bool = True) -> torch.Tensor:
    """The likeliest superpixel of every pixel of a size, the maps being enlarged bilinearly.

    Args:
        maps: (B, 9, h, w) probabilities, 0 for neighbours outside the grid.
        size: (H, W).
        n: Side of a cell in pixels of the maps.
        follow: A map is followed across the borders of cells, beyond which the same superpixel has another number.
            False: all nine maps are enlarged as they are, which mixes numbers of different superpixels there and leaves
            specks along the borders of cells.
    Returns:
        (B, 1, H, W) int64, the number 0..8 seen from the pixel's own cell; the first of equals.
    """
    lr_size = (maps.shape[-2], maps.shape[-1])
    step = size[0] if size == lr_size else max(_STRIP // size[1], 1)
    parts = []
    for start in range(0, size[0], step):
        window = (start, min(start + step, size[0]))
        best = maps.new_full((maps.shape[0], window[1] - start, size[1]), -torch.inf)
        choice = torch.full_like(best, 4, dtype=torch.long)
        for number, (_, _, inside) in enumerate(_sides(size, lr_size, n, maps.device, window)):
            score = _enlarged(maps, number, size, n, window, follow=follow)
            better = (score > best) & inside
            best = torch.where(better, score, best)
            choice.masked_fill_(better, number)
        parts.append(choice)
    return torch.cat(parts, dim=1)[:, None]


def _enlarged(
    maps: torch.Tensor, number: int, size: Size, n: int, window: tuple[int, int], *, follow: bool
) -> torch.Tensor:
    """Rows of a map at a size, (B, rows, W): the weighted sum of the four pixels around each of its pixels."""
    (down, across), lr_size = NEIGHBOURS[number], (maps.shape[-2], maps.shape[-1])
    if size == lr_size:
        return maps[:, number]
    rows, columns = (parents(length, whole, n, maps.device) for length, whole in zip(size, lr_size, strict=True))
    score = maps.new_zeros(())
    for row, row_weight in _corners(size[0], lr_size[0], maps, window):
        for column, column_weight in _corners(size[1], lr_size[1], maps, (0, size[1])):
            weight = row_weight[:, None] * column_weight
            if not follow:
                score = score + maps[:, number, row[:, None], column] * weight
                continue
            # the superpixel that is `number` from here, seen from the cell of that corner
            there_down = rows[slice(*window)] + down - torch.div(row, n, rounding_mode="floor")
            there_across = columns + across - torch.div(column, n, rounding_mode="floor")
            seen = (there_down.abs() <= 1)[:, None] & (there_across.abs() <= 1)
            there = (there_down.clamp(-1, 1)[:, None] + 1) * 3 + there_across.clamp(-1, 1) + 1
            score = score + maps[:, there, row[:, None], column] * (weight * seen)
    return score


def _corners(
    length: int, whole: int, like: torch.Tensor, window: tuple[int, int]
) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Of some pixels along an axis: the two of the smaller image around each, with their bilinear weights."""
    at = torch.arange(*window, device=like.device, dtype=like.dtype)
    place = ((at + 0.5) * (whole / length) - 0.5).clamp(0, whole - 1)
    before = place.floor()
    share = place - before
    index = before.long()
    return (index, 1 - share), ((index + 1).clamp_max(whole - 1), share)


def region_ids(choice: torch.Tensor, lr_size: Size, n: int) -> torch.Tensor:
    """P: which superpixel each pixel belongs to, numbered row by row over the grid.

    Args:
        choice: (B, 1, H, W) from `choose`.
        lr_size: (h, w) of the image that the cells lie on.
        n: Side of a cell.
    Returns:
        (B, 1, H, W) int64.
    """
    rows = parents(choice.shape[-2], lr_size[0], n, choice.device)[:, None] + torch.div(
        choice, 3, rounding_mode="floor"
    )
    columns = parents(choice.shape[-1], lr_size[1], n, choice.device) + choice % 3
    return (rows - 1) * grid_size(lr_size, n)[1] + columns - 1


def region_means(image: torch.Tensor, choice: torch.Tensor, n: int) -> torch.Tensor:
    """C: the mean colour of every superpixel.

    Args:
        image: (B, C, h, w), on which the cells lie.
        choice: (B, 1, h, w).
        n: Side of a cell.
    Returns:
        (B, C, rows, columns) of the grid. [inferred] A superpixel without pixels has the mean of its cell.
    """
    ones = torch.ones_like(image[:, :1])
    own = _per_cell(image, n) / _per_cell(ones, n)
    if image.device.type == "cpu" and not image.requires_grad:
        total, count = _counted(image, choice, n)
    else:
        total, count = _pooled(image, ((choice == number).to(image.dtype) for number in range(9)), n)
    return torch.where(count > 0, total / count.clamp_min(1), own)


def render(means: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Paint every pixel in the colour of its superpixel.

    Args:
        means: (B, C, rows, columns) from `region_means`.
        ids: (B, 1, H, W) from `region_ids`.
    Returns:
        (B, C, H, W).
    """
    flat, places = means.flatten(2), ids.flatten(1)
    painted = [torch.index_select(each, 1, place) for each, place in zip(flat, places, strict=True)]
    return torch.stack(painted).unflatten(2, ids.shape[-2:])


def soft_pool(features: torch.Tensor, probabilities: torch.Tensor, n: int) -> torch.Tensor:
    """The mean feature of every superpixel, pixels counting by how likely they belong to it.

    Args:
        features: (B, C, h, w).
        probabilities: (B, 9, h, w), 0 for neighbours outside the grid.
        n: Side of a cell.
    Returns:
        (B, C, rows, columns).
    """
    total, weight = _pooled(features, (each[:, None] for each in probabilities.unbind(1)), n)
    return total / weight.clamp_min(1e-8)


def soft_unpool(means: torch.Tensor, probabilities: torch.Tensor, n: int) -> torch.Tensor:
    """Every pixel as the mixture of the superpixels that it may belong to.

    Args:
        means: (B, C, rows, columns).
        probabilities: (B, 9, h, w).
        n: Side of a cell.
    Returns:
        (B, C, h, w).
    """
    size = (probabilities.shape[-2], probabilities.shape[-1])
    mixed = means.new_zeros((*means.shape[:2], *size))
    for number, (rows, columns, _) in enumerate(_sides(size, size, n, means.device)):
        row, column = rows.clamp(0, means.shape[-2] - 1), columns.clamp(0, means.shape[-1] - 1)
        mixed = mixed + probabilities[:, number : number + 1] * means.index_select(2, row).index_select(3, column)
    return mixed


def _sides(
    size: Size, lr_size: Size, n: int, device: torch.device, window: tuple[int, int] | None = None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """For each neighbour: its cell row (H,), its cell column (W,), and whether it lies in the grid (H, W); of the rows
    of a window where one is given."""
    own_rows, own_columns = (parents(length, whole, n, device) for length, whole in zip(size, lr_size, strict=True))
    own_rows = own_rows if window is None else own_rows[slice(*window)]
    last_row, last_column = grid_size(lr_size, n)
    for down, across in NEIGHBOURS:
        rows, columns = own_rows + down, own_columns + across
        in_rows, in_columns = (rows >= 0) & (rows < last_row), (columns >= 0) & (columns < last_column)
        yield rows, columns, in_rows[:, None] & in_columns


def _pooled(features: torch.Tensor, weights: Iterator[torch.Tensor], n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sums and sums of weights of every superpixel.

    Sums within cells, shifted to the neighbour: unlike a scattered sum, the same on a GPU every time.
    """
    batch, channels = features.shape[:2]
    rows, columns = grid_size((features.shape[-2], features.shape[-1]), n)
    total = features.new_zeros((batch, channels + 1, rows + 2, columns + 2))
    for (down, across), weight in zip(NEIGHBOURS, weights, strict=True):
        part = _per_cell(torch.cat((features * weight, weight), dim=1), n)
        total[..., down + 1 : down + 1 + rows, across + 1 : across + 1 + columns] += part
    inner = total[..., 1:-1, 1:-1]
    return inner[:, :-1], inner[:, -1:]


def _counted(image: torch.Tensor, choice: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of colours and numbers of pixels of every superpixel, added pixel by pixel: on a CPU several times faster
    than `_pooled`, and always in the same order."""
    size = (image.shape[-2], image.shape[-1])
    cells = grid_size(size, n)
    length = cells[0] * cells[1]
    totals, counts = [], []
    for planes, where in zip(image.flatten(2), region_ids(choice, size, n).flatten(1), strict=True):
        totals.append(torch.stack([torch.bincount(where, plane, length) for plane in planes]))
        counts.append(torch.bincount(where, minlength=length)[None])
    total, count = (torch.stack(each).to(image.dtype).unflatten(2, cells) for each in (totals, counts))
    return total, count


def _per_cell(values: torch.Tensor, n: int) -> torch.Tensor:
    """Sums over the cells: (B, C, h, w) -> (B, C, rows, columns)."""
    height, width = values.shape[-2:]
    padded = functional.pad(values, (0, -width % n, 0, -height % n))
    return padded.unflatten(3, (-1, n)).sum(4).unflatten(2, (-1, n)).sum(3)
