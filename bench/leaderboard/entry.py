"""What stands on a leaderboard: one entry per number, one card per row of methods, before anything is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bench.analysis.contamination import UNSTATED, Exposure, Seen
from bench.api import Direction, MetricRef, Scale

Row = tuple[str, str]
"""(method, variant)."""


class Kind(StrEnum):
    """Where a number comes from."""

    MEASURED = "measured"
    """By this harness, image by image, in a run folder."""
    REPORTED = "reported"
    """Printed in a paper, by a protocol that the paper states in part at most."""
    SENT = "sent"
    """By somebody else, with a signature that nobody here has checked."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader sees of a method on click.

    Attributes:
        display: The name that entries carry.
        method: Registered name, or the paper's.
        variant: Of a row of a run.
        kind: Of its numbers.
        source: The run folder, paper or sender.
        summary, paper, licence, url: Of the method.
        parameters: Of the network; None where nobody says.
        train_scales: The range of scales that it was trained for.
        train_sets: Names of its training sets; None where nobody says.
        minimised: Metrics that were part of its training's loss.
        weights: What is known of its weights: heading -> text.
        hardware: What its images were computed on.
        notes: Sentences.
    """

    display: str
    method: str
    kind: Kind
    source: str
    variant: str = ""
    summary: str = ""
    paper: str = ""
    licence: str = ""
    url: str = ""
    parameters: int | None = None
    train_scales: tuple[float, float] | None = None
    train_sets: tuple[str, ...] | None = None
    minimised: tuple[str, ...] = ()
    weights: Mapping[str, str] = field(default_factory=dict)
    hardware: str = ""
    notes: tuple[str, ...] = ()

    def trained_by(self, metric: str) -> bool:
        """Whether a metric was part of its training's loss, and so says nothing of it beside others."""
        return MetricRef.parse(metric).name in self.minimised


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One number, or why there is none.

    Attributes:
        card: Place of its method's card.
        dataset, metric: Names.
        scale: None where a paper does not say it.
        value: The mean; None for an incomplete cell.
        text: As printed: "24.13", "37/100".
        sd: Between-seed sd; None for one seed.
        low, high: 95 % confidence interval of the mean over images; None where there are no single values.
        n, expected: Images that are there, and that the cell should have; 0 where nobody says.
        seeds: How many.
        signature: How it was made.
        protocol: Names of the protocols that give this signature.
        images: Id of the set of images; "" where nobody says.
        table: The printed table that it stands in.
        seconds: Of the method, per image.
        exposure: Whether the method was trained on images of this dataset.
        doubt: Why it means little; "" where nothing is known against it.
        note: Why it is incomplete, or what a paper's reader has to know.
        rank, of: Its place among the numbers that it may be compared with, and how many those are; None without one.
    """

    card: int
    dataset: str
    scale: Scale | None
    metric: str
    value: float | None
    text: str
    sd: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    expected: int = 0
    seeds: int = 1
    signature: str = ""
    protocol: str = ""
    images: str = ""
    table: str = ""
    seconds: float | None = None
    exposure: Exposure = UNSTATED
    doubt: str = ""
    note: str = ""
    rank: int | None = None
    of: int = 0

    @property
    def seen(self) -> Seen:
        """Whether the method was trained on images of this dataset."""
        return self.exposure.seen

    @property
    def contaminated(self) -> str:
        """Which training sets hold images of this dataset, or may, as a sentence; "" where none is known to."""
        return self.exposure.sentence

    @property
    def mark(self) -> str:
        """The sign of that beside the number."""
        return {Seen.YES: "†", Seen.MAYBE: "(†)"}.get(self.seen, "")


@dataclass(frozen=True)
class ShownMetric:
    """A metric as the page prints it; without a direction it is not ranked."""

    name: str
    display: str
    direction: Direction | None
    decimals: int


@dataclass(frozen=True)
class Matrix:
    """A cross-scale metric of one method on one dataset.

    Attributes:
        card: Place of the method's card.
        metric: Without the reference scale.
        scales, references: Of the rows and columns.
        values: Row by row; None where there is no number.
    """

    card: int
    dataset: str
    metric: str
    scales: tuple[Scale, ...]
    references: tuple[Scale, ...]
    values: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Board:
    """Everything that is on the page but the pictures."""

    cards: tuple[Card, ...] = ()
    entries: tuple[Entry, ...] = ()
    metrics: tuple[ShownMetric, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    notes: tuple[str, ...] = ()

    def joined(self, other: Board) -> Board:
        """The two as one; the other's cards stand behind."""
        shift = len(self.cards)
        known = {metric.name for metric in self.metrics}
        return Board(
            (*self.cards, *other.cards),
            (*self.entries, *(replace(entry, card=entry.card + shift) for entry in other.entries)),
            (*self.metrics, *(metric for metric in other.metrics if metric.name not in known)),
            (*self.matrices, *(replace(matrix, card=matrix.card + shift) for matrix in other.matrices)),
            tuple(dict.fromkeys((*self.notes, *other.notes))),
        )
