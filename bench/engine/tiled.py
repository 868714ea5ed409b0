"""One image of a method: in one call, or in tiles where the method allows them and memory or the user asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.api import Size, Tiling, Upscaled
from bench.imaging.tiling import with_backoff

if TYPE_CHECKING:
    import torch


def upscale(
    call: Callable[[torch.Tensor, Size], Upscaled],
    tiling: Tiling,
    lr: torch.Tensor,
    size: Size,
    *,
    tile: int | None = None,
) -> Upscaled:
    """Call a method as often as tiles make necessary.

    Args:
        call: (LR image or a view of a tile of it, size) -> what the method returns for it, of exactly that size.
        tiling: Only SUPPORTED lets the harness split the image.
        lr: float32 (3, h, w) in [0, 1].
        size: (height, width) of the result.
        tile: LR tile side to begin with; None: whole, smaller only on a lack of memory.
    Returns:
        The image as the method gave it and the stages, which tiles do not have.
    """
    if tiling is not Tiling.SUPPORTED:
        return call(lr, size)
    whole: list[Upscaled] = []

    def one(part: torch.Tensor, part_size: Size) -> torch.Tensor:
        whole[:] = [call(part, part_size)]
        return whole[0].image

    image, used = with_backoff(one, lr, size, tile=tile)
    return Upscaled(image, whole[0].stages if used is None else (), used)
