"""Means that may leave a run folder, and a sentence on each that may not.

A mean is exported if all its images are there, of one origin and one set, finite, and nothing makes it doubtful.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.analysis import RunFrames, Selection
from bench.api import Direction, MetricInfo, RequestError, Scale, format_scale
from bench.leaderboard.entry import Card, Entry
from bench.leaderboard.measured import measured_board
from bench.metrics.catalog import known_infos


@dataclass(frozen=True, kw_only=True)
class Number:
    """A mean that may be exported.

    Attributes:
        card: Its method.
        entry: The number; its value is finite.
        info: Its metric.
        value: The mean.
    """

    card: Card
    entry: Entry
    info: MetricInfo
    value: float

    @property
    def scale(self) -> Scale:
        """Of the images; a measured number has one."""
        return self.entry.scale or 1.0

    @property
    def lower_is_better(self) -> bool:
        """Which way the metric counts."""
        return self.info.direction is Direction.LOWER

    @property
    def row(self) -> tuple[str, str]:
        """(method, variant)."""
        return self.card.method, self.card.variant


@dataclass(frozen=True)
class Numbers:
    """What a run has to export.

    Attributes:
        kept: In the order of its tables.
        left_out: A sentence on every other number, and on what the run itself leaves out of tables.
    """

    kept: tuple[Number, ...]
    left_out: tuple[str, ...]


def exportable_numbers(folders: Sequence[Path], frames: RunFrames, selection: Selection) -> Numbers:
    """The numbers of run folders that may be exported.

    Args:
        folders: Each the --out folder of a run; several are read as one.
        frames: What they hold.
        selection: Which rows.
    Raises:
        RequestError: images whose size is not recorded, no run folder, folders that contradict each other, a method in
            two versions, two sets of one name, a selection that leaves nothing, or no number that may be exported
            (says why).
    """
    board = measured_board(folders, selection, frames)
    _check_sizes(frames)
    infos = known_infos(entry.metric for entry in board.entries)
    kept, left_out = [], []
    for entry in board.entries:
        card = board.cards[entry.card]
        info = infos.get(entry.metric)
        reason = _reason(entry, info)
        if not reason and info is not None and entry.value is not None:
            kept.append(Number(card=card, entry=entry, info=info, value=entry.value))
        else:
            left_out.append(f"{_place(entry, card)}: {reason}")
    left_out += [
        f"{board.cards[matrix.card].display}, {matrix.dataset}, {matrix.metric}: one scale against another is not "
        "exported, only the mean over reference scales"
        for matrix in board.matrices
    ]
    left_out += board.notes
    if not kept:
        raise RequestError("nothing to export: " + "; ".join(left_out))
    return Numbers(tuple(kept), tuple(left_out))


def _reason(entry: Entry, info: MetricInfo | None) -> str:
    """Why a number stays here; "" where it need not."""
    if entry.value is None:
        return entry.note or f"{entry.n}/{entry.expected}"
    if not math.isfinite(entry.value):
        return f"{entry.text}: an image is identical to its reference, and the formats have no infinity"
    if info is None:
        return "a metric that is not installed here, so nobody can say which way it counts"
    return f"doubtful: {entry.doubt}" if entry.doubt else ""


def _check_sizes(frames: RunFrames) -> None:
    """Refuse numbers of images whose size is not recorded: nobody can say whether these are too small for them."""
    unknown = frames.records.loc[frames.records["value"].notna() & frames.records["height"].isna()]
    if not unknown.empty:
        raise RequestError(
            f"{len(unknown)} records do not say how large their images are (the first: {unknown['image'].iloc[0]}), so "
            "nobody can say whether these are too small for their numbers; export from the run folder itself, records/ "
            "and all"
        )


def _place(entry: Entry, card: Card) -> str:
    return f"{card.display}, {entry.dataset}, x{format_scale(entry.scale or 1.0)}, {entry.metric}"
