"""What an audit looks at: numbers of one table or several, per-image values where there are some, claims, training."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.analysis.reported import Claim
from bench.api import Direction, ImageSet, MetricRef, Scale, format_times

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Number:
    """One value of a table.

    Attributes:
        table: Which table; empty where there is only one.
        method: Method as it is registered, or as papers call it.
        variant: How the row differs from the bare method.
        label: The row as it is printed.
        dataset: Name of the set.
        scale: None where nobody says it.
        metric: Its name; a reference scale stands behind "@".
        value: NaN where there is none.
        text: The value as printed; empty for a value that was measured and not rounded.
        direction: Which way is better; None where nobody knows.
        signature: How it was made, as far as that is known.
        mark: As printed.
        note: What is said of a value that is missing.
    """

    table: str
    method: str
    variant: str
    label: str
    dataset: str
    scale: Scale | None
    metric: str
    value: float
    text: str = ""
    direction: Direction | None = None
    signature: str = ""
    mark: str = ""
    note: str = ""

    @property
    def row(self) -> tuple[str, str, str]:
        """What tells two rows of a table apart."""
        return self.method, self.variant, self.label

    @property
    def ref(self) -> MetricRef:
        """The metric without its reference scale, and that scale."""
        return MetricRef.parse(self.metric)

    @property
    def on_diagonal(self) -> bool:
        """Whether it compares a scale with itself, which is 1 for everybody."""
        return self.ref.reference is not None and self.ref.reference == self.scale

    @property
    def shown(self) -> str:
        """The value for people."""
        return self.text or f"{self.value:.4f}"

    @property
    def at(self) -> str:
        """The scale for people."""
        return "×?" if self.scale is None else f"{format_times(self.scale)}"


@dataclass(frozen=True)
class Trained:
    """What a method was trained on and for.

    Attributes:
        method: Name as numbers carry it.
        variant: Only this variant; None: all of them.
        train_sets: Names of image sets; None where nobody says.
        minimised: Metrics in the loss.
        said: Where that is said.
    """

    method: str
    variant: str | None
    train_sets: tuple[str, ...] | None
    minimised: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Evidence:
    """Everything that checks may look at.

    Attributes:
        numbers: Of all tables.
        per_image: (row of numbers: method, variant), dataset, scale, metric -> image -> value, mean over seeds.
        claims: What is said of the tables.
        trained: What is known of the methods' training.
        sets: Images by content, where a run knows them.
    """

    numbers: tuple[Number, ...]
    per_image: Mapping[tuple[str, str, str, Scale, str], Mapping[str, float]] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    trained: tuple[Trained, ...] = ()
    sets: Sequence[ImageSet] = ()

    @property
    def present(self) -> list[Number]:
        """The numbers that have a value."""
        return [number for number in self.numbers if not math.isnan(number.value)]


def grouped(numbers: Iterable[Number], key: Callable[[Number], K]) -> dict[K, list[Number]]:
    """Numbers by a key, in their order."""
    found: dict[K, list[Number]] = {}
    for number in numbers:
        found.setdefault(key(number), []).append(number)
    return found


def place(*parts: str | None) -> str:
    """Where something is, from what is known of it: "casr_supplement/table2, Benchmark, ×8"."""
    return ", ".join(part for part in parts if part)


def best_of(numbers: Sequence[Number]) -> list[Number]:
    """The numbers of one cell from best to worst; they share a direction."""
    return sorted(numbers, key=lambda n: n.value, reverse=numbers[0].direction is Direction.HIGHER)
