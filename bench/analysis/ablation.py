"""Variants of a method held against one of them, cell by cell, and against the numbers that a paper prints of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.comparison import CellComparison, Side, compare_rows, judged
from bench.analysis.frames import RunFrames
from bench.analysis.reported import ReportedRow
from bench.api import MetricInfo, MetricRef, RowInfo, Scale

RowKey = tuple[str, str]
"""(method, variant)."""
Place = tuple[str, Scale, str]
"""(dataset, scale, metric)."""


@dataclass(frozen=True, kw_only=True)
class AblationCell:
    """One variant on one dataset at one scale in one metric.

    Attributes:
        mean: None where the cell is not complete.
        note: Why there is no mean, as "3/5".
        n: Images.
        signature: Of the mean.
        delta: As `mean_difference` has it; None for the default itself.
        comparison: With the default image by image; None where that says nothing (a value of a whole set).
    """

    mean: float | None
    note: str = ""
    n: int = 0
    signature: str = ""
    delta: float | None = None
    comparison: CellComparison | None = None


@dataclass(frozen=True, kw_only=True)
class AblationResult:
    """All variants of an ablation.

    Attributes:
        rows: In order.
        default: The one that the others are held against.
        cells: By row and place.
        places: (dataset, scale), in order.
        metrics: In order.
        notes: Sentences on images that could not be compared.
    """

    rows: tuple[RowInfo, ...]
    default: RowInfo
    cells: Mapping[tuple[RowKey, Place], AblationCell]
    places: tuple[tuple[str, Scale], ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PrintedValue:
    """A number that a paper prints of a variant; a scale of None is not stated."""

    dataset: str
    scale: Scale | None
    metric: str
    text: str

    @property
    def number(self) -> float:
        """The value."""
        return float(self.text)


def ablation_result(
    frames: RunFrames, rows: Sequence[RowInfo], default: RowInfo, infos: Mapping[str, MetricInfo]
) -> AblationResult:
    """Hold every variant against the default.

    Args:
        frames: Of one request.
        rows: The variants, the default among them.
        default: One of them.
        infos: metric -> its direction.
    """
    cells = {(row.key, place): cell for row in rows for place, cell in _means(frames, row).items()}
    of_default = {place: cell for (key, place), cell in cells.items() if key == default.key}
    compared, notes = _comparisons(frames, rows, default, infos)
    found = {}
    for (key, place), cell in cells.items():
        usual = of_default.get(place)
        delta = mean_difference(cell.mean, usual.mean) if key != default.key and usual is not None else None
        found[key, place] = AblationCell(
            mean=cell.mean,
            note=cell.note,
            n=cell.n,
            signature=cell.signature,
            delta=delta,
            comparison=compared.get((key, place)) if delta is not None else None,
        )
    return AblationResult(
        rows=tuple(rows),
        default=default,
        cells=found,
        places=tuple(dict.fromkeys((dataset, scale) for _, (dataset, scale, _) in found)),
        metrics=tuple(dict.fromkeys(metric for _, (_, _, metric) in found)),
        notes=tuple(notes),
    )


def mean_difference(mean: float | None, default: float | None) -> float | None:
    """A mean less that of the default; None where one of the two is missing, or both are infinite alike."""
    if mean is None or default is None:
        return None
    difference = mean - default
    return None if math.isnan(difference) else difference


def printed_values(rows: Iterable[ReportedRow]) -> tuple[PrintedValue, ...]:
    """The numbers of one row of a reported table; of a metric with reference scales its mean over those that are not
    the output's own, as summaries have it."""
    values: dict[tuple[str, Scale | None, str], list[ReportedRow]] = {}
    for row in rows:
        ref = MetricRef.parse(row.metric)
        if row.value and (ref.reference is None or ref.reference != row.scale):
            values.setdefault((row.dataset, row.scale, ref.name), []).append(row)
    return tuple(PrintedValue(*place, _mean_text([row.value for row in own])) for place, own in values.items())


def _mean_text(texts: Sequence[str]) -> str:
    """One printed number as it is; the mean of several with as many decimals."""
    if len(texts) == 1:
        return texts[0]
    decimals = max(len(text.partition(".")[2]) for text in texts)
    return f"{math.fsum(map(float, texts)) / len(texts):.{decimals}f}"


def _means(frames: RunFrames, row: RowInfo) -> dict[Place, AblationCell]:
    summary = frames.summary
    own = summary.loc[(summary["method"] == row.method) & (summary["variant"] == row.variant)]
    found: dict[Place, AblationCell] = {}
    for line in own.to_dict("records"):
        if MetricRef.parse(line["metric"]).reference is not None:
            continue
        mean = float(line["mean"])
        found[line["dataset"], line["scale"], line["metric"]] = AblationCell(
            mean=None if math.isnan(mean) else mean,
            note=str(line["note"]),
            n=int(line["n"]),
            signature=str(line["signature"]),
        )
    return found


def _comparisons(
    frames: RunFrames, rows: Sequence[RowInfo], default: RowInfo, infos: Mapping[str, MetricInfo]
) -> tuple[dict[tuple[RowKey, Place], CellComparison], list[str]]:
    """Every variant against the default image by image, corrected over all of them together."""
    keys: list[RowKey] = []
    cells: list[CellComparison] = []
    notes: list[str] = []
    signed = frames.summary.loc[frames.summary["signature"] != ""]
    numbers = {
        row.key: {
            (d, s, m)
            for method, variant, d, s, m in signed[["method", "variant", "dataset", "scale", "metric"]].itertuples(
                index=False, name=None
            )
            if (method, variant) == row.key and MetricRef.parse(m).reference is None
        }
        for row in rows
    }
    for row in rows:
        if row.key == default.key or not numbers[row.key] & numbers[default.key]:
            continue
        found = compare_rows(Side(frames, row), Side(frames, default), infos)
        cells += found.cells
        keys += [row.key] * len(found.cells)
        notes += found.notes
    by_place = {
        (key, (cell.dataset, cell.scale, cell.metric)): cell
        for key, cell in zip(keys, judged(cells, infos), strict=True)
    }
    return by_place, list(dict.fromkeys(notes))
