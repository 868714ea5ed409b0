"""The contract of a metric: what it measures, how its number is signed, and when it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricKind(StrEnum):
    """What a metric looks at: SR against HR, SR alone, whole sets, or one image at two scales."""

    FULL_REFERENCE = "full-reference"
    NO_REFERENCE = "no-reference"
    SET = "set"
    CROSS_SCALE = "cross-scale"


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, kw_only=True)
class MetricInfo:
    """What tables and lists need to know of a metric."""

    name: str
    display: str
    kind: MetricKind
    direction: Direction
    decimals: int
    summary: str
    paper: str = ""
    licence: str = ""


@dataclass(frozen=True)
class MetricValue:
    """One number, or the reason why there is none.

    Attributes:
        value: The number; None where it could not be computed. Never a stand-in.
        signature: The full signature of how it was, or would have been, made.
        reason: Why there is no number; empty where there is one.
        seconds: Time spent in the metric's own code.
    """

    value: float | None
    signature: str
    reason: str = ""
    seconds: float = 0.0
