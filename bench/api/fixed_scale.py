"""A base class for networks of fixed integer scales: passes until the size is reached, then one exact resize.

The resize is the project's MATLAB bicubic, so that a fixed-scale network differs from others by its pixels alone. torch
and the resizer are imported by the first image.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from bench.api.errors import RequestError, UnitError
from bench.api.method import Method, MethodInfo, Tiling, Upscaled

if TYPE_CHECKING:
    import torch

    from bench.api.sizes import Size


class FixedScale(Method):
    """A network of one or several integer scales under the `Method` contract.

    A subclass sets `info` and `scales` and implements `enlarge`; `load` where it has weights. Its `info` gets the
    `resize_rule`. With `tiling=Tiling.INTERNAL` every pass is split into feathered tiles when memory is short; the
    factor of a pass is whole, so tiles lie exactly on its grid. `Tiling.SUPPORTED` is refused: at a fractional ratio a
    tile may round to another number of passes than the whole image.
    """

    scales: ClassVar[tuple[int, ...]] = ()

    def __init_subclass__(cls, **others: Any) -> None:
        """Check what the subclass says of itself, and write its rule into its `info`.

        Raises:
            RequestError: scales that are no whole numbers above 1, or the wrong kind of tiling.
        """
        super().__init_subclass__(**others)
        if "scales" in vars(cls):
            cls.scales = _checked_scales(cls.__name__, vars(cls)["scales"])
        info = vars(cls).get("info")
        if not isinstance(info, MethodInfo):
            return
        if info.tiling is Tiling.SUPPORTED:
            raise RequestError(
                f"class {cls.__name__}: a FixedScale tiles its passes itself; write tiling=Tiling.INTERNAL, or "
                "Tiling.NONE where the network looks at the whole image"
            )
        if cls.scales and not info.resize_rule:
            cls.info = replace(info, resize_rule=resize_rule(cls.scales))

    @abstractmethod
    def enlarge(self, x: torch.Tensor, s: int) -> torch.Tensor:
        """One pass of the network.

        Args:
            x: (1, 3, h, w): the LR image (float32, on the CPU) or what the pass before returned.
            s: The factor, one of `scales`.
        Returns:
            (1, 3, h * s, w * s), floating, on any device.
        """

    def plan(self, ratio: float) -> tuple[int, ...]:
        """The passes for an image that has to grow by `ratio` along its more demanding axis; empty up to 1.

        Raises:
            RequestError: the class names no scales.
        """
        if not self.scales:
            raise RequestError(f"class {type(self).__name__} names no scales; write scales = (2, 3, 4)")
        return smallest_cascade(self.scales, ratio)

    @property
    def tileable(self) -> bool:
        """Whether a pass may be split."""
        return self.info.tiling is Tiling.INTERNAL

    @property
    def tile(self) -> int | None:
        """LR tile side of a pass to begin with; None: whole, and smaller only on a lack of memory."""
        return None

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """See `Method.upscale`. The stages are the images of the passes, without the last where that is the result."""
        from bench.imaging.planes import resize_planes

        ratio = max(size[0] / lr.shape[-2], size[1] / lr.shape[-1])
        image, tile, stages = lr, None, []
        for s in self.plan(ratio):
            image, used = self._pass(image, s)
            tile = used if tile is None else tile
            stages.append(image.float())
        if tuple(image.shape[1:]) != tuple(size):
            return Upscaled(resize_planes(image, size, "bicubic"), tuple(stages), tile)
        return Upscaled(stages[-1] if stages else lr.clone(), tuple(stages[:-1]), tile)

    def _pass(self, image: torch.Tensor, s: int) -> tuple[torch.Tensor, int | None]:
        """(3, h, w) -> (3, h * s, w * s), and the tile that it took."""

        def one(part: torch.Tensor, part_size: Size) -> torch.Tensor:
            result = self.enlarge(part[None], s)
            wanted = (1, 3, *part_size)
            shape = tuple(getattr(result, "shape", ()))
            if shape != wanted:
                got = f"shape {shape}" if shape else f"a {type(result).__name__}"
                raise UnitError(
                    f"{self.info.name}: enlarge(x, {s}) returned {got} for x of shape {(1, *part.shape)}, expected a "
                    f"tensor {wanted}: every pass gives exactly {s} times the size"
                )
            return result[0]

        whole = (image.shape[1] * s, image.shape[2] * s)
        if not self.tileable:
            return one(image, whole), None
        from bench.imaging.tiling import with_backoff

        return with_backoff(one, image, whole, tile=self.tile)


def smallest_cascade(scales: tuple[int, ...], ratio: float) -> tuple[int, ...]:
    """The passes with the smallest product that reaches a ratio; the fewest of these, the largest factor first.

    The LR image is what a network was trained on, so the first pass does most of the work. [inferred]

    >>> smallest_cascade((2, 3, 4), 3.6), smallest_cascade((2, 3, 4), 5), smallest_cascade((2, 3, 4), 30)
    ((4,), (3, 2), (4, 4, 2))
    """
    if ratio <= 1:
        return ()
    found = _sufficient(tuple(sorted(scales, reverse=True)), ratio * (1 - 1e-9))
    return min(found, key=lambda passes: (math.prod(passes), len(passes), [-s for s in passes]))


def resize_rule(scales: tuple[int, ...]) -> str:
    """The sentence that a table prints below a method of these scales."""
    names = [f"x{s}" for s in scales]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return (
        f"a network of {listed}, applied until the smallest sufficient product is reached, then resized to the exact "
        "size with MATLAB's bicubic (antialiased)"
    )


def _sufficient(scales: tuple[int, ...], ratio: float) -> Iterator[tuple[int, ...]]:
    for index, s in enumerate(scales):
        if s >= ratio:
            yield (s,)
        else:
            yield from ((s, *rest) for rest in _sufficient(scales[index:], ratio / s))


def _checked_scales(name: str, scales: object) -> tuple[int, ...]:
    given = scales if isinstance(scales, tuple | list) else ()
    if not given or not all(type(s) is int and s > 1 for s in given):
        raise RequestError(
            f"class {name}: scales = {scales!r}; expected whole numbers above 1, such as scales = (2, 3, 4)"
        )
    return tuple(sorted(set(given)))
