"""The checks on what a method gives back: each says what was expected, what came and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.api import Size, UnitError, Upscaled
from bench.imaging.limit import DECODED_PIXELS, LONGEST_SIDE

if TYPE_CHECKING:
    import torch

_SUMMED_ROWS = 256


def as_upscaled(result: object, name: str) -> Upscaled:
    """The result of one call, once it is of the right type and its stages are tensors.

    Args:
        result: What `upscale` returned.
        name: The method, for the message.
    Raises:
        UnitError: something else was returned.
    """
    import torch

    if not isinstance(result, Upscaled):
        bare = isinstance(result, torch.Tensor) or hasattr(result, "__array__")
        kind = f"a bare {type(result).__name__}" if bare else _with_article(type(result).__name__)
        how = "Upscaled(image, stages)" if isinstance(result, tuple | list) else "Upscaled(image)"
        raise UnitError(f"{name} returned {kind}, expected Upscaled: wrap it in {how}, from bench.api")
    stages = result.stages
    if not (isinstance(stages, tuple | list) and all(isinstance(stage, torch.Tensor) for stage in stages)):
        raise UnitError(
            f"{name} returned stages of type {type(stages).__name__}, expected a tuple of tensors (3, h, w)"
        )
    return result


def require_possible(size: Size) -> None:
    """Refuse an image that nothing could read again, before a method asks for its memory.

    Raises:
        UnitError: too large; says what is possible.
    """
    height, width = size
    if height * width > DECODED_PIXELS or max(size) > LONGEST_SIDE:
        raise UnitError(
            f"the image would be {height} x {width} px (height x width); at most {DECODED_PIXELS} pixels, and "
            f"{LONGEST_SIDE} along a side, can be stored and read again: choose a smaller scale or size"
        )


def require_image(image: object, size: Size, name: str, *, slack: int = 0) -> None:
    """Refuse what is no dense floating image of this size.

    Args:
        image: What `upscale` returned.
        size: (height, width) that it was asked for.
        name: The method, for the message.
        slack: Pixels by which a side may be off.
    Raises:
        UnitError: not a tensor, sparse, not of floating type, or of another shape.
    """
    require_shape(tuple(require_floating(image, name).shape), size, name, slack=slack)


def require_shape(shape: tuple[int, ...], size: Size, name: str, *, slack: int) -> None:
    """Refuse an image of another shape; arguments as for `require_image`.

    Raises:
        UnitError: it is not (3, height, width).
    """
    wanted = (3, *size)
    near = len(shape) == 3 and shape[0] == 3 and all(abs(a - b) <= slack for a, b in zip(shape[1:], size, strict=True))
    if not near:
        raise UnitError(
            f"{name} returned shape {shape}, expected {wanted} (channels, height, width); nothing is "
            "resized silently: make the method return exactly the size it is asked for"
        )


def require_floating(image: object, name: str) -> torch.Tensor:
    """The image, once it is a dense tensor of floating type; whole numbers are refused, for nobody knows their white.

    Raises:
        UnitError: not a tensor, sparse, or not of floating type.
    """
    import torch

    if not isinstance(image, torch.Tensor):
        raise UnitError(f"{name} returned a {type(image).__name__}, expected a torch.Tensor of floating type in [0, 1]")
    if image.layout is not torch.strided:
        kind = str(image.layout).removeprefix("torch.")
        raise UnitError(f"{name} returned a tensor of layout {kind}, expected a dense one: return image.to_dense()")
    if not image.is_floating_point():
        kind = str(image.dtype).removeprefix("torch.")
        raise UnitError(f"{name} returned {kind} values, expected floating ones in [0, 1]: divide by the largest value")
    return image


def require_finite(image: torch.Tensor, name: str) -> None:
    """Refuse NaN and infinities, with their number.

    Raises:
        UnitError: there are some.
    """
    import torch

    # NaN and infinities survive a sum, and a sum costs a tenth of looking at each value; row by row, since torch makes
    # a float64 copy of what it sums
    if not all(bool(torch.isfinite(part.sum(dtype=torch.float64))) for part in image.split(_SUMMED_ROWS, dim=-2)):
        bad = int((~torch.isfinite(image)).sum())
        raise UnitError(f"{name} returned NaN or infinite values in {bad} of {image.numel()} places")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
