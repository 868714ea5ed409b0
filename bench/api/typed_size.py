"""A size as it is typed: width first, as everyone says it, and (height, width) in all code."""

from __future__ import annotations

from bench.api.errors import RequestError
from bench.api.sizes import Size


def parse_size(text: str, option: str, *, square: bool = False) -> Size:
    """Read a size as it is typed, width first.

    Args:
        text: WIDTHxHEIGHT in pixels.
        option: What it was typed behind, for the message.
        square: One number is a square of that side.
    Returns:
        (height, width).
    Raises:
        RequestError: another form, or a side of 0.
    """
    parts = text.strip().lower().split("x")
    if square and len(parts) == 1:
        parts *= 2
    # isdecimal alone would take digits of other scripts
    if len(parts) != 2 or not all(part.isascii() and part.isdecimal() and part.strip("0") for part in parts):
        raise RequestError(f"{option} {text}: expected WIDTHxHEIGHT in pixels, such as {option} 1000x777")
    return int(parts[1]), int(parts[0])
