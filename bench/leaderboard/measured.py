"""Run folders as a board: the same cells as their tables hold, with what a reader wants to know beside each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis import RunFrames, Selection, select
from bench.analysis.aggregate import UNAVAILABLE_NOTE
from bench.analysis.contamination import exposure
from bench.analysis.costs import cell_seconds
from bench.analysis.origins import check_one_origin, check_one_set
from bench.api import Direction, MetricInfo, MetricRef, Scale
from bench.engine.folder import RunFolder
from bench.leaderboard.cards import run_card
from bench.leaderboard.entry import Board, Card, Entry, Row, ShownMetric
from bench.leaderboard.intervals import MeanKey, mean_intervals
from bench.leaderboard.matrices import split_references
from bench.metrics.catalog import known_infos
from bench.report.build import untrained
from bench.report.model import printed
from bench.session import load


def measured_board(folders: Sequence[Path], selection: Selection, frames: RunFrames | None = None) -> Board:
    """The board of run folders that are read as one run.

    Args:
        folders: Each the --out folder of a run.
        selection: Which rows.
        frames: What they hold, where it was read before.
    Raises:
        RequestError: no run folder, folders that contradict each other, a method in two versions, two sets of one
            name, or a selection that leaves nothing.
    """
    frames = load(*folders).frames if frames is None else frames
    rows = select(frames.summary, selection, protocols=frames.protocols)
    left = untrained(rows, frames)
    names = list(dict.fromkeys(frames.row(m, v).display for m, v in _rows(rows.loc[left])))
    rows = rows.loc[~left]
    check_one_origin(rows, frames.origins, lambda method, variant: frames.row(method, variant).display)
    check_one_set(rows, frames.sets, lambda method, variant: frames.row(method, variant).display)
    manifests = {folder: manifest for folder in folders if (manifest := RunFolder(folder).manifest()) is not None}
    cards = {row: run_card(frames.row(*row), manifests) for row in _rows(rows)}
    infos = known_infos(rows["metric"])
    table = _Entries(frames, {row: place for place, row in enumerate(cards)}, tuple(cards.values()), infos)
    entries, matrices = split_references(table.entry(line) for line in rows.to_dict("records"))
    notes = [f"Left out because it has no trained weights: {', '.join(names)}."] if names else []
    return Board(
        tuple(cards.values()),
        entries,
        shown_metrics(rows["metric"], infos),
        matrices,
        (*notes, *frames.warnings),
    )


def shown_metrics(
    names: Iterable[str], infos: Mapping[str, MetricInfo], directions: Mapping[str, Direction | None] | None = None
) -> tuple[ShownMetric, ...]:
    """Metrics as the page prints them, without those of one reference scale.

    Args:
        names: Of metrics; one that comes twice counts once.
        infos: Of those that are registered here.
        directions: Which way the others are better, where somebody says it.
    """
    plain = [name for name in dict.fromkeys(names) if MetricRef.parse(name).reference is None]
    return tuple(
        ShownMetric(name, infos[name].display, infos[name].direction, infos[name].decimals)
        if name in infos
        else ShownMetric(name, name, (directions or {}).get(name), 4)
        for name in plain
    )


@dataclass(frozen=True)
class _Entries:
    """What every entry of a run is made of."""

    frames: RunFrames
    places: Mapping[Row, int]
    cards: Sequence[Card]
    infos: Mapping[str, MetricInfo]

    @cached_property
    def intervals(self) -> Mapping[MeanKey, tuple[float, float]]:
        """The confidence interval of each mean that has one."""
        return mean_intervals(self.frames.records)

    @cached_property
    def seconds(self) -> Mapping[tuple[str, str, str, Scale], float]:
        """The method's seconds per image of each cell."""
        return cell_seconds(self.frames.records)

    def entry(self, line: Mapping[Any, Any]) -> Entry:
        """The entry of a row of the summary."""
        key = (str(line["method"]), str(line["variant"]), str(line["dataset"]), line["scale"])
        metric, signature, note = str(line["metric"]), str(line["signature"]), str(line["note"])
        low, high = self.intervals.get((*key, metric, signature), (None, None))
        mean, sd = float(line["mean"]), float(line["seed_sd"])
        missing = math.isnan(mean)
        info = self.infos.get(MetricRef.parse(metric).name)
        n, expected = int(line["n"]), int(line["expected"])
        text = printed(mean, 4 if info is None else info.decimals)
        if missing:
            text = "n/a" if note.startswith(UNAVAILABLE_NOTE) else f"{n}/{expected}"
        place = self.places[key[:2]]
        images = self.frames.sets.get(str(line["source"]))
        return Entry(
            card=place,
            dataset=key[2],
            scale=key[3],
            metric=metric,
            value=None if missing else mean,
            text=text,
            sd=None if missing or math.isnan(sd) else sd,
            low=None if missing else low,
            high=None if missing else high,
            n=n,
            expected=expected,
            seeds=int(line["seeds"]),
            signature=signature,
            protocol=", ".join(self.frames.protocols.get(signature, ())),
            images=str(line["source"]),
            seconds=self.seconds.get(key),
            exposure=exposure(self.cards[place].train_sets, key[2], images.images if images is not None else None),
            doubt=str(line["doubt"]),
            note=note or str(line["doubt"]),
        )


def _rows(rows: pd.DataFrame) -> list[Row]:
    """(method, variant) in order, each once."""
    return list(rows[["method", "variant"]].drop_duplicates().itertuples(index=False, name=None))
