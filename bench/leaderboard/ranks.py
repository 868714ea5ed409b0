"""Ranks among numbers that may be compared, and mean ranks over the scales of a dataset.

Compared is what was made in one way on the same images: one signature, or one table of a paper. Equal prints share a
rank; an incomplete cell has none, and neither has a row by a metric that was part of its training's loss.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.analysis.ranks import block_ranks
from bench.api import Direction, Scale
from bench.leaderboard.entry import Board, Entry, ShownMetric
from bench.leaderboard.matrices import over_scales

Group = tuple[str, ...]


@dataclass(frozen=True)
class MeanRank:
    """The place of a method over the scales of one dataset.

    Attributes:
        card: Place of its card.
        mean: Mean over scales, ties at the mean of their places; None where it lacks one of them.
        cells, of: How many scales it has, and how many there are.
        low, high: Its best and its worst place.
    """

    card: int
    mean: float | None
    cells: int
    of: int
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Ranking:
    """Mean ranks of one metric on one dataset under one protocol; best first, incomplete rows last."""

    protocol: str
    dataset: str
    metric: str
    scales: tuple[Scale, ...]
    rows: tuple[MeanRank, ...]


def ranked(board: Board) -> Board:
    """The board with a rank at every number that may be compared with another one."""
    metrics = {metric.name: metric for metric in board.metrics}
    entries = list(board.entries)
    for places in _groups(board).values():
        direction = _direction(entries[places[0]], metrics)
        if direction is None or len(places) < 2:
            continue
        numbers = [_printed(entries[place]) for place in places]
        for place, number in zip(places, numbers, strict=True):
            rank = 1 + sum(_better(other, number, direction) for other in numbers)
            entries[place] = replace(entries[place], rank=rank, of=len(places))
    return replace(board, entries=tuple(entries))


def mean_ranks(board: Board) -> tuple[Ranking, ...]:
    """The mean ranks of a board, in the order of its entries.

    A mean covers the same scales for every method that has one. The places are those among these methods alone, so
    that a method that was run at a few scales moves nobody.
    """
    metrics = {metric.name: metric for metric in board.metrics}
    cells: dict[Group, dict[Scale, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for group, places in _groups(board).items():
        for place in places:
            entry = board.entries[place]
            if entry.scale is not None and _direction(entry, metrics) is not None:
                key = (
                    _called(entry),
                    entry.dataset,
                    entry.metric,
                    entry.table or over_scales(entry.signature),
                    *group[3:4],
                    group[-1],
                )
                cells[key][entry.scale][entry.card] = _printed(entry)
    found = []
    for (protocol, dataset, metric, *_), scales in cells.items():
        direction = metrics[metric].direction
        counts = Counter(card for numbers in scales.values() for card in numbers)
        whole = [card for card, count in counts.items() if count == len(scales)]
        if direction is None or len(counts) < 2:
            continue
        places = _places(whole, scales, direction)
        rows = [_mean_rank(card, places.get(card, ()), counts[card], len(scales)) for card in counts]
        rows.sort(key=lambda row: (row.mean is None, row.mean or 0.0))
        found.append(Ranking(protocol, dataset, metric, tuple(sorted(scales)), tuple(rows)))
    return tuple(found)


def _places(
    whole: Sequence[int], scales: Mapping[Scale, Mapping[int, float]], direction: Direction
) -> dict[int, tuple[float, ...]]:
    """Card -> its place at every scale among the cards that have them all; nothing for fewer than two of these."""
    if len(whole) < 2:
        return {}
    table = np.array([[numbers[card] for card in whole] for numbers in scales.values()])
    ranks = block_ranks(table, direction)
    return {card: tuple(ranks[:, column].tolist()) for column, card in enumerate(whole)}


def _mean_rank(card: int, places: Sequence[float], cells: int, of: int) -> MeanRank:
    if not places:
        return MeanRank(card, None, cells, of)
    return MeanRank(card, sum(places) / len(places), cells, of, min(places), max(places))


def _groups(board: Board) -> dict[Group, list[int]]:
    """What may be compared -> places of the complete entries, but for those by a metric that the row was trained by."""
    first: dict[Group, list[int]] = defaultdict(list)
    for place, entry in enumerate(board.entries):
        if entry.value is not None and not board.cards[entry.card].trained_by(entry.metric):
            first[_comparable(entry)].append(place)
    groups: dict[Group, list[int]] = {}
    for key, places in first.items():
        for images, own in _by_images(board.entries, places):
            groups[(*key, images)] = own
    return groups


def _comparable(entry: Entry) -> Group:
    """A paper's numbers within their table, all others by their signature and number of images."""
    cell = (entry.dataset, str(entry.scale), entry.metric)
    if entry.table:
        return (*cell, "", entry.table)
    return (*cell, str(entry.expected), entry.signature)


def _by_images(entries: Sequence[Entry], places: Sequence[int]) -> Iterable[tuple[str, list[int]]]:
    """Entries over the same images; what does not say its images is held to be over those of the others if all of
    these are over one set."""
    known = {entries[place].images for place in places} - {""}
    if len(known) < 2:
        return [("", list(places))]
    split: dict[str, list[int]] = defaultdict(list)
    for place in places:
        split[entries[place].images].append(place)
    return split.items()


def _called(entry: Entry) -> str:
    return entry.table or entry.protocol or entry.signature


def _direction(entry: Entry, metrics: Mapping[str, ShownMetric]) -> Direction | None:
    metric = metrics.get(entry.metric)
    return None if metric is None else metric.direction


def _printed(entry: Entry) -> float:
    """The value as printed, so that a rank never rests on digits that nobody sees."""
    return float(entry.text.replace("∞", "inf"))


def _better(first: float, second: float, direction: Direction) -> bool:
    return first > second if direction is Direction.HIGHER else first < second
