"""Which rows a summary must have: everything a cell was asked for, whether or not the records know of it.

A method that has not begun a dataset yet, or an image that failed before any metric ran, must show as missing and not
vanish from the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.api import MetricRef

Cell = tuple[str, str, str, float, int]
"""(method, variant, dataset, scale, seed)."""
RowKey = tuple[str, str, str, float, str, str]
"""(method, variant, dataset, scale, metric, signature)."""


@dataclass(frozen=True)
class Measured:
    """One metric of one cell: number of good, unavailable and failed images, and the mean of the good ones."""

    n: int = 0
    away: int = 0
    failed: int = 0
    mean: float = float("nan")


def all_cells(seen: Iterable[tuple[Cell, int]], expected: pd.DataFrame) -> dict[Cell, int]:
    """cell -> number of images: the expected cells, then those that only the records know."""
    cells: dict[Cell, int] = {row[:5]: row[5] for row in expected.itertuples(index=False, name=None)}
    for cell, images in seen:
        cells.setdefault(cell, images)
    return cells


def complete_rows(
    measured: Mapping[tuple[Cell, str, str], Measured],
    cells: Mapping[Cell, int],
    order: Sequence[str],
    unavailable: Iterable[str],
) -> dict[RowKey, dict[int, Measured]]:
    """Row -> seed -> what was measured, with `Measured()` for what is missing.

    Args:
        measured: (cell, metric, signature) -> what was measured. Without a signature: an image that failed before it
            was known; it counts for every signature of its metric. Without a metric: for all metrics of its cell.
        cells: All cells.
        order: The names of the metrics.
        unavailable: Metrics that must appear in every cell.
    """
    wanted = _wanted(measured, cells, order, tuple(unavailable))
    rows: dict[RowKey, dict[int, Measured]] = {}
    for cell in cells:
        lost = measured.get((cell, "", ""), Measured()).failed
        for metric, signatures in wanted[cell[2], cell[3]].items():
            unsigned = measured.get((cell, metric, ""), Measured())
            for signature in signatures:
                found = measured.get((cell, metric, signature), Measured()) if signature else Measured()
                rows.setdefault((*cell[:4], metric, signature), {})[cell[4]] = Measured(
                    n=found.n + unsigned.n,
                    away=found.away + unsigned.away,
                    failed=found.failed + unsigned.failed + lost,
                    mean=found.mean if found.n else unsigned.mean,
                )
    return rows


def _wanted(
    measured: Iterable[tuple[Cell, str, str]], cells: Iterable[Cell], order: Sequence[str], unavailable: Sequence[str]
) -> dict[tuple[str, float], dict[str, list[str]]]:
    """(dataset, scale) -> metric -> signatures; what has not begun takes its metrics from what has."""
    places = list(dict.fromkeys((cell[2], cell[3]) for cell in cells))
    here: dict[tuple[str, float], dict[str, list[str]]] = {place: {} for place in places}
    anywhere: dict[float, dict[str, list[str]]] = {scale: {} for _, scale in places}
    for cell, metric, signature in measured:
        if metric:
            for found in (here[cell[2], cell[3]], anywhere[cell[3]]):
                own = found.setdefault(metric, [])
                if signature and signature not in own:
                    own.append(signature)
    everything = [metric for metric in order if metric and MetricRef.parse(metric).reference is None]
    of_dataset: dict[str, dict[str, None]] = {dataset: {} for dataset, _ in places}
    for (dataset, _), found in here.items():
        of_dataset[dataset].update(
            dict.fromkeys(metric for metric in found if MetricRef.parse(metric).reference is None)
        )
    for (dataset, scale), found in here.items():
        for metric in [*(of_dataset[dataset] or everything), *unavailable]:
            found.setdefault(metric, list(anywhere[scale].get(metric, ())))
    return {place: {metric: own or [""] for metric, own in found.items()} for place, found in here.items()}
