"""Scales: decimals, or pairs of them (height x width), canonical as they are printed.

A scale of both axes is a plain `float`, so that 4, 4.0 and 4.00 are one; one of each axis is a `ScalePair`. Both come
from decimals of few digits, so two scales are equal exactly where they print alike. Sizes follow in `bench.api.sizes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from functools import total_ordering
from numbers import Real
from typing import Annotated, Any, ClassVar, NoReturn

from pydantic import BeforeValidator

from bench.api.errors import RequestError

DIGITS = 10
"""Significant digits of a scale: as many as are printed, and few enough that a float holds every such decimal."""
_NOISE = 1e-12
"""Relative difference between a computed float (0.1 * 23) and the decimal that was meant."""
_DECIMAL = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_NO_FACTOR = re.compile(r"-\d{1,80}(?:\.\d{1,80})?|[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
"""Numbers, and none of them a scale."""
_BETWEEN = re.compile("[xX×]")
_HOW = (
    "scales are numbers of at least 1 separated by commas, such as --scales 2,3.6,8, or pairs of them, height x width, "
    "such as 1.5x2"
)


@total_ordering
class ScalePair:
    """A scale of its own for each axis.

    Equal factors are no pair: `make_scale` gives the plain number. A pair stands between numbers by its geometric
    mean, for a list must have an order; no number is equal to it, and no arithmetic is defined with it.

    >>> pair = parse_scale("1.50x2")
    >>> str(pair), pair.height, pair.width, pair == parse_scale("1.5x2.0"), sorted([2.0, pair])
    ('1.5x2', 1.5, 2.0, True, [ScalePair(1.5, 2), 2.0])
    """

    __slots__ = ("height", "width")
    __array_ufunc__: ClassVar[None] = None
    """numpy leaves comparisons to this class."""

    height: float
    width: float

    def __init__(self, height: float, width: float) -> None:
        """Args: height, width: canonical factors that differ; `make_scale` and `parse_scale` see to that."""
        if height == width:
            raise ValueError(f"both factors are {height}: that is no pair but the scale {height}")
        object.__setattr__(self, "height", float(height))
        object.__setattr__(self, "width", float(width))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a ScalePair is immutable: cannot set {name}")

    def __reduce__(self) -> tuple[type[ScalePair], tuple[float, float]]:
        return ScalePair, (self.height, self.width)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScalePair) and (self.height, self.width) == (other.height, other.width)

    def __hash__(self) -> int:
        return hash((self.height, self.width))

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, ScalePair | int | float):
            return NotImplemented
        return _place(self) < _place(other)

    def __str__(self) -> str:
        return format_scale(self)

    def __repr__(self) -> str:
        return f"ScalePair({_digits(self.height)}, {_digits(self.width)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Stored as the text "1.5x2"; a text of one number is none."""
        from pydantic_core import core_schema

        def read(value: object) -> ScalePair:
            found = _read(value) if isinstance(value, ScalePair | str) else None
            if not isinstance(found, ScalePair):
                raise ValueError(f"expected a scale such as 4 or 1.5x2, seen {value!r:.80}")
            return found

        return core_schema.no_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, source: Any, handler: Any) -> dict[str, str]:
        factor = r"\d+(\.\d+)?"
        return {
            "type": "string",
            "pattern": f"^{factor}x{factor}$",
            "description": "One factor per axis: height x width.",
        }


Scale = float | ScalePair
"""One factor for both axes, or one for each."""


def _read(value: object) -> Scale:
    try:
        return as_scale(value)
    except RequestError as fault:
        raise ValueError(str(fault)) from None


WrittenScale = Annotated[Scale, BeforeValidator(_read)]
"""A scale in a file that people write: read as on the command line."""


def parse_scale(text: str) -> Scale:
    """Read one scale.

    Args:
        text: What the user typed, such as "4", "3.60" or "1.5x2" (height x width).
    Returns:
        The scale; every factor is at least 1 and has at most `DIGITS` significant digits.
    Raises:
        RequestError: no decimal or pair of decimals, a factor below 1, or one of more digits than are printed.
    """
    typed = text.strip()
    parts = _BETWEEN.split(typed)
    bare = [part for part in parts if part]
    if len(parts) == 2 and len(bare) == 1 and _DECIMAL.fullmatch(bare[0]):
        raise RequestError(f"'{typed}' is not a scale: give {bare[0]} alone, or both factors of a pair; {_HOW}")
    if _NO_FACTOR.fullmatch(typed):
        raise RequestError(f"scale {typed} cannot be used; {_HOW}")
    if len(parts) > 2 or not all(map(_DECIMAL.fullmatch, parts)):
        raise RequestError(f"'{typed:.80}' is not a scale; {_HOW}")
    return make_scale(*(_factor(part, typed) for part in parts))


def parse_scales(text: str) -> tuple[Scale, ...]:
    """Read a comma-separated list of scales, in the order given, repetitions dropped.

    Raises:
        RequestError: an empty list or a bad scale.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise RequestError(f"no scale given; {_HOW}")
    return tuple(dict.fromkeys(parse_scale(part) for part in parts))


def parse_factors(text: str, option: str) -> tuple[float, ...]:
    """Read a list of scales of one factor each, for what is not defined for a pair.

    Args:
        text: What the user typed.
        option: Behind which it was typed, for the message.
    Raises:
        RequestError: as for `parse_scales`, or a pair.
    """
    found = parse_scales(text)
    pairs = [format_scale(scale) for scale in found if isinstance(scale, ScalePair)]
    if pairs:
        raise RequestError(f"{option} {text}: {pairs[0]} has a factor per axis; expected one factor for both axes here")
    return tuple(single_factors(found))


def as_scale(value: object) -> Scale:
    """A scale from a Python value: a number, a text, a pair of numbers (height, width), or a scale.

    A computed number such as 0.1 * 23 is the decimal that it was meant to be.

    Raises:
        RequestError: as for `parse_scale`.
    """
    if isinstance(value, ScalePair):
        return value
    if isinstance(value, tuple | list) and len(value) == 2:
        return make_scale(*(_as_factor(part) for part in value))
    return parse_scale(value) if isinstance(value, str) else _as_factor(value)


def make_scale(height: float, width: float | None = None) -> Scale:
    """The scale of one factor, or of two; equal ones are one number."""
    return float(height) if width is None or height == width else ScalePair(height, width)


def format_scale(scale: Scale) -> str:
    """The scale as file names and the command line have it: 4.0 -> "4", 3.6 -> "3.6", a pair -> "1.5x2"."""
    return "x".join(map(_digits, factors(scale))) if isinstance(scale, ScalePair) else _digits(scale)


def format_times(scale: Scale) -> str:
    """The scale as people read it: "×4", a pair "×1.5×2"."""
    return "×" + format_scale(scale).replace("x", "×")


def factors(scale: Scale) -> tuple[float, float]:
    """The factors of (height, width)."""
    return (scale.height, scale.width) if isinstance(scale, ScalePair) else (float(scale), float(scale))


def largest_factor(scale: Scale) -> float:
    """The larger factor of the two axes: what decides whether a scale is beyond a limit."""
    return max(factors(scale))


def single_factors(scales: Iterable[Scale]) -> list[float]:
    """Those scales that have one factor for both axes, for what is defined for them alone (a numeric axis)."""
    return [scale for scale in scales if not isinstance(scale, ScalePair)]


def _factor(text: str, typed: str) -> float:
    """One factor as a canonical float."""
    whole = text.partition(".")[0].lstrip("0")
    exact = Decimal(text).normalize()
    if exact < 1:
        raise RequestError(f"scale {typed:.80} cannot be used; {_HOW}")
    if len(whole) > DIGITS or len(exact.as_tuple().digits) > DIGITS:
        near = f"; {_digits(float(exact))} is near" if len(whole) <= DIGITS else ""
        raise RequestError(
            f"scale {typed:.80} has more than {DIGITS} digits, so that files and tables could not tell it from its "
            f"neighbours{near}"
        )
    return float(exact)


def _as_factor(value: object) -> float:
    """One factor from a Python value."""
    if isinstance(value, bool) or not isinstance(value, Real | Decimal | str):
        raise RequestError(f"{value!r:.80} is not a scale; {_HOW}")
    if isinstance(value, str | Decimal):
        text = format(value)
    else:
        number = float(value)
        printed = _digits(number)
        text = printed if math.isclose(number, float(printed), rel_tol=_NOISE) else repr(number)
    found = parse_scale(text)
    if isinstance(found, ScalePair):
        raise RequestError(f"'{text}' is no factor of a pair; {_HOW}")
    return found


def _digits(factor: float) -> str:
    return format(factor, f".{DIGITS}g")


def _place(scale: Scale) -> tuple[float, float, float]:
    """Where a scale stands among others: by its geometric mean, then by its factors."""
    height, width = factors(scale)
    return (height if height == width else math.sqrt(height * width), height, width)
