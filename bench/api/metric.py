"""The contract of a metric: what it measures, how its number is signed and averaged, and when it cannot be had."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from bench.api.scale import Scale, format_scale, parse_scale

_AT_SCALE = re.compile(r"(?P<name>.+)@(?P<scale>\d+(?:\.\d+)?(?:x\d+(?:\.\d+)?)?)")


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


@dataclass(frozen=True)
class Aggregation:
    """Another way than the plain mean from the numbers of images to that of their set.

    Attributes:
        name: What a protocol's `aggregate` and the token "agg:" call it, such as "batch8-mse".
        mean: The values of all images, in the order of their ids -> the number of the set.
    """

    name: str
    mean: Callable[[Sequence[float]], float]


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
    aggregations: tuple[Aggregation, ...] = ()
    """How its values may be averaged beside the plain mean; protocols that ask for another one get the plain mean."""
    smallest_side: int | None = None
    """Of an image with a shorter side (in pixels) its value says little, which a run warns of; None: no such side."""
    effect: float = 0.0
    """Smallest difference of two means that is worth having, in its units; 0: nobody says, so any will do."""
    caution: Callable[[int], str | None] | None = None
    """Number of images -> what stands under a table beside their value, None where nothing does; for values of sets."""

    def aggregation(self, name: str) -> Aggregation | None:
        """The aggregation of this name; None where the metric has none."""
        return next((aggregation for aggregation in self.aggregations if aggregation.name == name), None)


@dataclass(frozen=True)
class MetricRef:
    """A metric as records and tables name it; a comparison of two scales has the reference scale behind "@".

    >>> str(MetricRef("selfssim", 8.0)), MetricRef.parse("selfssim@3.6"), MetricRef.parse("psnr")
    ('selfssim@8', MetricRef(name='selfssim', reference=3.6), MetricRef(name='psnr', reference=None))
    """

    name: str
    reference: Scale | None = None

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> MetricRef:
        """Read "selfssim@8"; any other name has no reference scale."""
        match = _AT_SCALE.fullmatch(text)
        return MetricRef(match["name"], parse_scale(match["scale"])) if match else MetricRef(text)

    def __str__(self) -> str:
        return self.name if self.reference is None else f"{self.name}@{format_scale(self.reference)}"


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
