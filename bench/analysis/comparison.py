"""Two rows of one or two runs, compared cell by cell: what `bench compare` says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.analysis.frames import RunFrames
from bench.analysis.origins import check_one_origin
from bench.analysis.pairing import ImageValues, cannot_pair, paired
from bench.analysis.selection import Selection, select
from bench.analysis.signatures import check_one_protocol
from bench.analysis.significance import TIE, Difference, Verdict, adjusted_ps, compare_values, judge
from bench.api import Direction, MetricInfo, MetricRef, RequestError, RowInfo, Scale, format_times
from bench.api.run import merged_names

_NAMED = 3
"""Images that are named as best and as worst."""


@dataclass(frozen=True)
class Side:
    """One of the two rows, and the run that it is of."""

    frames: RunFrames
    row: RowInfo


@dataclass(frozen=True, kw_only=True)
class CellComparison:
    """A against B on one dataset at one scale in one metric.

    Attributes:
        mean_a, mean_b: Over the paired images with two finite values, as the difference is; NaN without any.
        found: A - B and its test.
        adjusted: p after Holm's correction over all cells; None where nothing was tested.
        effect: Smallest difference worth having.
        verdict: On A.
        best, worst: (image, A - B) where A gains most and least, the first most so.
    """

    dataset: str
    scale: Scale
    metric: str
    signature: str
    mean_a: float
    mean_b: float
    found: Difference
    effect: float
    best: tuple[tuple[str, float], ...]
    worst: tuple[tuple[str, float], ...]
    adjusted: float | None = None
    verdict: Verdict = Verdict.TOO_FEW


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All cells that both rows have, and sentences on those that could not be compared."""

    a: str
    b: str
    cells: tuple[CellComparison, ...]
    notes: tuple[str, ...]


def compare_rows(
    a: Side,
    b: Side,
    infos: Mapping[str, MetricInfo],
    *,
    selection: Selection | None = None,
    effects: Mapping[str, float] | None = None,
) -> Comparison:
    """Compare two rows on everything that both have.

    Args:
        a, b: The rows.
        infos: metric -> its direction and the smallest difference worth having.
        selection: Which datasets, scales, metrics and protocols; metrics of one reference scale ("selfssim@8") only
            where they are named.
        effects: metric -> the smallest difference worth having, instead of the metric's own; "" is for all metrics.
    Raises:
        RequestError: the rows share no cell; their numbers are of two protocols or versions; or images of one name were
            made from different files.
    """
    if (a.frames is b.frames or a.frames.records is b.frames.records) and a.row.key == b.row.key:
        raise RequestError(f"A and B are the same row, '{a.row.display}'; give two rows")
    chosen, wanted = selection or Selection(), effects or {}
    rows_a, rows_b = (_own(side, chosen) for side in (a, b))
    places = _places(rows_a) & _places(rows_b)
    if not places:
        raise RequestError(f"'{a.row.display}' and '{b.row.display}' share no dataset, scale and metric; {_seen(a, b)}")
    shared = _at(rows_a, places)
    both = pd.concat([_at(rows_a, places), _at(rows_b, places)], ignore_index=True)
    check_one_protocol(both, merged_names(a.frames.protocols, b.frames.protocols))
    cells, notes = [], []
    values_a = ImageValues.of(a.frames)
    values_b = values_a if b.frames.records is a.frames.records else ImageValues.of(b.frames)
    _refuse_unknown_effects(wanted, shared["metric"])
    for row in shared.to_dict("records"):
        dataset, scale, metric = str(row["dataset"]), row["scale"], str(row["metric"])
        own = _at(both, {(dataset, scale, metric)})
        signature = str(row["signature"])
        base = MetricRef.parse(metric).name
        info = infos.get(base)
        where = f"{info.display if info else metric} on {dataset} {format_times(scale)}"
        place = (dataset, scale, metric, signature)
        first, second = values_a.cell((*a.row.key, *place)), values_b.cell((*b.row.key, *place))
        pairs = paired(first, second, dataset, scale)
        reason = cannot_pair(signature) or _of_several_versions(own)
        if reason := reason or ("" if pairs else "no image has a value in both"):
            notes.append(f"{where} is left out: {reason}.")
            continue
        planned = max(int(n) for n in own["expected"])
        if len(pairs) < planned:
            notes.append(f"{where}: {len(pairs)} of {planned} images have a value in both; only these are compared.")
        asked = (wanted[name] for name in (metric, base, "") if name in wanted)
        effect = next(asked, info.effect if info else 0.0)
        cells.append(_cell(place, pairs, info, effect))
    notes += _flattered(a.row, b.row, cells, infos) + _flattered(b.row, a.row, cells, infos)
    return Comparison(a=a.row.display, b=b.row.display, cells=judged(cells, infos), notes=tuple(notes))


def judged(cells: Sequence[CellComparison], infos: Mapping[str, MetricInfo]) -> tuple[CellComparison, ...]:
    """The cells with Holm's correction over all of them, and the verdicts that follow.

    Args:
        cells: Of one comparison, or of several that are read as one.
        infos: metric -> its direction.
    """
    found = []
    for cell, adjusted in zip(cells, adjusted_ps([cell.found for cell in cells]), strict=True):
        info = infos.get(MetricRef.parse(cell.metric).name)
        verdict = judge(cell.found, adjusted, info.direction if info is not None else None, cell.effect)
        found.append(replace(cell, adjusted=adjusted, verdict=verdict))
    return tuple(found)


def _own(side: Side, selection: Selection) -> pd.DataFrame:
    """The summary rows of a row that are asked for, of one version and signed."""
    summary = side.frames.summary
    method, variant = side.row.key
    own = summary.loc[(summary["method"] == method) & (summary["variant"] == variant) & (summary["signature"] != "")]
    if own.empty:
        raise RequestError(f"'{side.row.display}' has no numbers in this run; finish the run first")
    if not selection.metrics:
        plain = [MetricRef.parse(name).reference is None for name in own["metric"]]
        own = own.loc[plain]
    own = select(own, selection, protocols=side.frames.protocols)
    check_one_origin(own, side.frames.origins, lambda *_: side.row.display)
    return own


def _flattered(
    row: RowInfo, other: RowInfo, cells: Iterable[CellComparison], infos: Mapping[str, MetricInfo]
) -> list[str]:
    """A sentence on every compared metric that was part of the loss of this row's training and not of the other's."""
    compared = dict.fromkeys(MetricRef.parse(cell.metric).name for cell in cells)
    return [
        f"{infos[name].display if name in infos else name} was part of the loss in the training of {row.display}."
        for name in compared
        if name in row.minimised and name not in other.minimised
    ]


def _places(rows: pd.DataFrame) -> set[tuple[str, Scale, str]]:
    """(dataset, scale, metric) of the rows; a merge of frames would want the scales of both to be of one dtype."""
    return set(zip(rows["dataset"], rows["scale"], rows["metric"], strict=True))


def _of_several_versions(rows: pd.DataFrame) -> str:
    """Why rows whose seeds are not of one version and one set of images have no mean; "" where they are."""
    mixed = rows.loc[rows["origin"].str.contains("+", regex=False) | rows["source"].str.contains("+", regex=False)]
    return "" if mixed.empty else str(mixed["note"].iloc[0]).partition(": ")[2]


def _refuse_unknown_effects(effects: Mapping[str, float], metrics: Iterable[str]) -> None:
    known = dict.fromkeys(name for metric in metrics for name in (metric, MetricRef.parse(metric).name))
    for name in effects:
        if name and name not in known:
            raise RequestError(f"--effect {name}=…: no such metric is compared here; there are {', '.join(known)}")


def _at(rows: pd.DataFrame, places: set[tuple[str, Scale, str]]) -> pd.DataFrame:
    keys = zip(rows["dataset"], rows["scale"], rows["metric"], strict=True)
    return rows.loc[[key in places for key in keys]]


def _seen(a: Side, b: Side) -> str:
    said = []
    for name, side in (("A", a), ("B", b)):
        summary = side.frames.summary
        own = summary.loc[(summary["method"] == side.row.method) & (summary["variant"] == side.row.variant)]
        where = dict.fromkeys(f"{d} {format_times(s)}" for d, s in zip(own["dataset"], own["scale"], strict=True))
        said.append(f"{name} has {', '.join(where)}")
    return "; ".join(said)


def _cell(
    place: tuple[str, Scale, str, str], pairs: Mapping[str, tuple[float, float]], info: MetricInfo | None, effect: float
) -> CellComparison:
    dataset, scale, metric, signature = place
    direction = info.direction if info is not None else None
    first, second = [a for a, _ in pairs.values()], [b for _, b in pairs.values()]
    finite = [(a, b) for a, b in pairs.values() if math.isfinite(a) and math.isfinite(b)]
    sign = -1.0 if direction is Direction.LOWER else 1.0
    gains = {image: 0.0 if a == b else a - b for image, (a, b) in pairs.items()}
    order = sorted(gains, key=lambda image: (-sign * gains[image], image))
    return CellComparison(
        dataset=dataset,
        scale=scale,
        metric=metric,
        signature=signature,
        mean_a=_mean(a for a, _ in finite),
        mean_b=_mean(b for _, b in finite),
        found=compare_values(first, second, direction),
        effect=effect,
        best=tuple((image, gains[image]) for image in order[:_NAMED] if sign * gains[image] > TIE),
        worst=tuple((image, gains[image]) for image in order[: -_NAMED - 1 : -1] if sign * gains[image] < -TIE),
    )


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else math.nan
