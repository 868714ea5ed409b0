"""Signatures: how a number was made, as tokens joined by "|"; the one place that takes them apart and compares them.

A named token is `name:value`. The unnamed ones (the metric in front, a colour, a package) are known by their place,
but for the version at the end.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

ABSENT = "-"
"""What stands for a token that only one of two signatures has."""

_SEPARATOR = "|"
_VERSION = re.compile(r"v\d+")
_AVERAGING = re.compile(r"(?P<aggregation>.+?)(?:-first(?P<first>\d+))?")

PER_SCALE = frozenset({"lr", "w", "weights", "n"})
"""Named tokens in which one protocol may differ between two scales: the downsampler of coarse scales, the parameters
that were at hand, the number of images."""
_GIVEN_LR = "lr:given"
_DRAWN = "@"
"""Between a degradation and the seed that its draws are counted from."""


@dataclass(frozen=True)
class Averaging:
    """How the numbers of a cell become one.

    Attributes:
        aggregation: PLAIN, or an aggregation that the metric defines (see `bench.api.Aggregation`).
        first: Only the first so many images, sorted by id; None: all of them.
    """

    aggregation: str = "img"
    first: int | None = None

    @classmethod
    def parse(cls, value: str) -> Averaging:
        """Read what stands after "agg:".

        >>> Averaging.parse("batch8-mse-first100")
        Averaging(aggregation='batch8-mse', first=100)
        """
        match = _AVERAGING.fullmatch(value)
        if match is None:
            return cls(value)
        return cls(match["aggregation"], int(match["first"]) if match["first"] else None)

    @property
    def token(self) -> str:
        """Such as `agg:img`, `agg:batch8-mse-first100`."""
        return f"agg:{self.aggregation}" + (f"-first{self.first}" if self.first is not None else "")


PLAIN = Averaging().aggregation
"""The aggregation that every metric has: the mean of the values of the images."""


@dataclass(frozen=True)
class Difference:
    """A token in which two signatures differ; ABSENT where one of them has none of this name."""

    name: str
    """What stands before ":", "" for a token that has no name."""
    first: str
    second: str

    @property
    def one_sided(self) -> bool:
        """True where only one signature has such a token."""
        return ABSENT in (self.first, self.second)


@dataclass(frozen=True)
class Signature:
    """The tokens of a signature; those of a number that was never signed are none."""

    tokens: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read a signature as it is stored.

        >>> Signature.parse("psnr|y601s|shave:s|agg:img|lr:matlab-bicubic|v1").value("shave")
        's'
        """
        return cls(tuple(text.split(_SEPARATOR)) if text else ())

    @property
    def text(self) -> str:
        """The signature as it is stored and printed."""
        return _SEPARATOR.join(self.tokens)

    @property
    def metric(self) -> str:
        """The metric's name without a reference scale; "" where there are no tokens."""
        return self.tokens[0] if self.tokens else ""

    @property
    def averaging(self) -> Averaging:
        """How numbers of this signature are averaged; the plain mean where it does not say."""
        value = self.value("agg")
        return Averaging() if value is None else Averaging.parse(value)

    def has(self, token: str) -> bool:
        """Whether it holds exactly this token, such as "y601s" or "shave:s"."""
        return token in self.tokens

    def value(self, name: str) -> str | None:
        """What the first token of this name says; None where there is none."""
        return next((token.partition(":")[2] for token in self.tokens[1:] if _name(token) == name), None)

    def without(self, name: str) -> Signature:
        """The same without its tokens of this name.

        >>> Signature.parse("selfssim|rgb|ref:column|v1").without("ref").text
        'selfssim|rgb|v1'
        """
        return Signature(tuple(t for place, t in enumerate(self.tokens) if not place or _name(t) != name))

    def differences(self, other: Signature) -> tuple[Difference, ...]:
        """The tokens in which the two differ.

        Tokens are matched by name, several of one name in their order, and unnamed ones by their order.
        """
        mine, theirs = self._placed(), other._placed()
        return tuple(
            Difference(place[0], mine.get(place, ABSENT), theirs.get(place, ABSENT))
            for place in dict.fromkeys([*mine, *theirs])
            if mine.get(place) != theirs.get(place)
        )

    @property
    def per_scale(self) -> frozenset[str]:
        """`PER_SCALE` of its protocol: degradations that are drawn are the same at every scale."""
        return PER_SCALE - {"lr"} if _DRAWN in (self.value("lr") or "") else PER_SCALE

    def fits_other_scale(self, other: Signature) -> bool:
        """Whether both can be of one protocol at two scales, as far as their tokens tell."""
        given = self.has(_GIVEN_LR) or other.has(_GIVEN_LR)
        per_scale = PER_SCALE if given else self.per_scale & other.per_scale
        return all(d.name in per_scale and not d.one_sided for d in self.differences(other))

    def fits_other_dataset(self, other: Signature) -> bool:
        """Whether both can be of one protocol on two sets: one brings its LR images, or the sets differ in size."""
        return all(
            not d.one_sided and (d.name == "n" or _GIVEN_LR in (d.first, d.second)) for d in self.differences(other)
        )

    def _placed(self) -> dict[tuple[str, str, int], str]:
        """(name, kind of an unnamed token, number among its like) -> token."""
        seen: Counter[tuple[str, str]] = Counter()
        placed = {}
        for position, token in enumerate(self.tokens):
            # the metric in front may hold a colon: pyiqa:musiq
            name = _name(token) if position else ""
            kind = (name, "version" if position and _VERSION.fullmatch(token) else "")
            placed[(*kind, seen[kind])] = token
            seen[kind] += 1
        return placed


def _name(token: str) -> str:
    name, colon, _ = token.partition(":")
    return name if colon else ""
