"""Knobs: what each field of a protocol says of itself, so that a new one is written in one place.

A field says which half it belongs to and, where it has a token of its own in signatures, how that reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from bench.api.scale import Scale


class Half(StrEnum):
    """What a field decides."""

    PAIR = "pair"
    """The HR and LR pixels, so it can change the SR image."""
    SCORING = "scoring"
    """Only the number, so stored images can be scored again."""
    LABEL = "label"
    """Nothing: it is for people, and part of no key and no signature."""


TokenMaker = Callable[[Any, Scale], str]
"""(protocol, scale) -> the token, "" where there is nothing to say."""


@dataclass(frozen=True)
class Knob:
    """What a field says of itself.

    Attributes:
        half: What it decides.
        token: How every signature shows it; None where another knob's token or the metrics that read it do.
    """

    half: Half
    token: TokenMaker | None = None


def pair(token: str | TokenMaker | None = None) -> Mapping[str, object]:
    """Metadata of a field that decides pixels.

    Args:
        token: The name of its token, which then shows any value but the default; or what makes the token.
    """
    return {"half": Half.PAIR, "token": token}


def scoring(token: str | TokenMaker | None = None) -> Mapping[str, object]:
    """Metadata of a field that decides only the number; `token` as in `pair`."""
    return {"half": Half.SCORING, "token": token}


def label() -> Mapping[str, object]:
    """Metadata of a field that decides nothing."""
    return {"half": Half.LABEL}


def read_knobs(protocol: type) -> Mapping[str, Knob]:
    """The knobs of a dataclass, in the order of its fields.

    Raises:
        TypeError: a field does not say which half it belongs to.
    """
    return MappingProxyType({field.name: _knob(protocol, field) for field in fields(protocol)})


def _knob(protocol: type, field: Field[Any]) -> Knob:
    half, token = field.metadata.get("half"), field.metadata.get("token")
    if not isinstance(half, Half):
        raise TypeError(
            f"{protocol.__name__}.{field.name} does not say which half it belongs to: give it "
            "field(default=…, metadata=pair()), scoring() or label()"
        )
    return Knob(half, _changed(field, token) if isinstance(token, str) else token)


def _changed(field: Field[Any], name: str) -> TokenMaker:
    """The token `name:value` of any value but the default."""
    if field.default is MISSING:
        raise TypeError(f"{field.name}: a token that shows any value but the default needs a default")
    return lambda protocol, _: "" if (value := getattr(protocol, field.name)) == field.default else f"{name}:{value}"
