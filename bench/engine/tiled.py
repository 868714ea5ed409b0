"""One call of a method: whole, or in tiles where the method allows them and the memory or the user asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Method, MethodInfo, Size, Tiling, Upscaled
from bench.engine.returned import as_upscaled, require_image
from bench.imaging.tiling import with_backoff

if TYPE_CHECKING:
    import torch


def upscale(
    method: Method, info: MethodInfo, lr: torch.Tensor, size: Size, *, seed: int, tile: int | None = None
) -> Upscaled:
    """Call `method.upscale` as often as tiles make necessary.

    Args:
        method: A loaded method.
        info: Its description; only `Tiling.SUPPORTED` lets the harness split the image.
        lr: float32 (3, h, w) in [0, 1].
        size: (height, width) of the result.
        seed: The unit's seed; every tile gets it.
        tile: LR tile side to begin with; None: whole, smaller only on a lack of memory.
    Returns:
        The image as the method gave it (floating, exactly `size`) and the stages, which tiles do not have.
    Raises:
        UnitError: it returned something else.
    """
    whole: list[Upscaled] = []

    def one(part: torch.Tensor, part_size: Size) -> torch.Tensor:
        result = as_upscaled(method.upscale(part, part_size, seed=seed), info.name)
        require_image(result.image, part_size, info.name)
        whole[:] = [result]
        return result.image

    if info.tiling is not Tiling.SUPPORTED:
        one(lr, size)
        return whole[0]
    image, used = with_backoff(one, lr, size, tile=tile)
    return Upscaled(image, tuple(whole[0].stages) if used is None else (), used)
