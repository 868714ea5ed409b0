"""Which rows a summary must have: everything a cell was asked for, whether or not the records know of it.

A method that has not begun a dataset yet, or an image that failed before any metric ran, must show as missing and not
vanish from the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.planned import Cell, Planned
from bench.api import MetricRef, Scale, Signature

RowKey = tuple[str, str, str, Scale, str, str]
"""(method, variant, dataset, scale, metric, signature)."""


@dataclass(frozen=True)
class Measured:
    """One metric of one cell: number of good, unavailable and failed images, and the mean of the good ones."""

    n: int = 0
    away: int = 0
    failed: int = 0
    mean: float = float("nan")


class Plans:
    """The plans of all cells, those that only the records know included."""

    def __init__(self, seen: Iterable[tuple[Cell, int]], planned: Sequence[Planned]) -> None:
        """Args: seen: cells of the records with the images seen in their dataset; planned: what is planned."""
        self._plans: dict[Cell, list[Planned]] = {}
        for plan in planned:
            self._plans.setdefault(plan.cell, []).append(plan)
        for cell, images in seen:
            self._plans.setdefault(cell, [Planned(cell=cell, images=images)])

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._plans)

    def of(self, cell: Cell) -> list[Planned]:
        """All plans of a cell: one per way of making HR and LR."""
        return self._plans[cell]

    def governing(self, cell: Cell, signature: str) -> Planned:
        """The plan that numbers of this signature are held against: the newest that names it, else the newest."""
        plans = self._plans[cell]
        return next((plan for plan in reversed(plans) if plan.governs(signature)), plans[-1])


def complete_rows(
    measured: Mapping[tuple[Cell, str, str], Measured],
    plans: Plans,
    order: Sequence[str],
    unavailable: Collection[str],
) -> dict[RowKey, dict[int, Measured]]:
    """Row -> seed -> what was measured, with `Measured()` for what is missing.

    Args:
        measured: (cell, metric, signature) -> what was measured. Without a signature: an image that failed before it
            was known; it counts for every signature of its metric. Without a metric: for all metrics of its cell.
        plans: All cells.
        order: The names of the metrics.
        unavailable: Metrics that must appear in every cell that nobody planned, and where they were asked for.
    """
    guessed = _guessed(measured, plans, order, tuple(unavailable))
    seen: dict[Cell, list[tuple[str, str]]] = {}
    for cell, metric, signature in measured:
        seen.setdefault(cell, []).append((metric, signature))
    rows: dict[RowKey, dict[int, Measured]] = {}
    for cell in plans:
        lost = measured.get((cell, "", ""), Measured()).failed
        for metric, signatures in _wanted(cell, seen.get(cell, ()), plans, unavailable, guessed).items():
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


Wanted = dict[str, list[str]]
"""metric -> signatures."""


def _wanted(
    cell: Cell,
    seen: Iterable[tuple[str, str]],
    plans: Plans,
    unavailable: Collection[str],
    guessed: Mapping[tuple[str, Scale], Wanted],
) -> Wanted:
    own = plans.of(cell)
    if any(plan.measures is None for plan in own):
        return guessed[cell[2], cell[3]]
    found: Wanted = {}
    for plan in own:
        for signature, metric in (plan.measures or {}).items():
            if Signature.parse(signature).without("ref").text == signature:
                found.setdefault(metric, []).append(signature)
    for metric, signature in seen:
        if metric and signature and signature not in found.setdefault(metric, []):
            found[metric].append(signature)
    asked = [metric for plan in own for metric in plan.metrics]
    for metric in unavailable:
        if metric in asked:
            found.setdefault(metric, [""])
    return found


def _guessed(
    measured: Iterable[tuple[Cell, str, str]], plans: Plans, order: Sequence[str], unavailable: Sequence[str]
) -> dict[tuple[str, Scale], Wanted]:
    """(dataset, scale) -> what nobody planned: what has not begun takes its metrics from what has."""
    places = list(dict.fromkeys((cell[2], cell[3]) for cell in plans))
    here: dict[tuple[str, Scale], Wanted] = {place: {} for place in places}
    anywhere: dict[Scale, Wanted] = {scale: {} for _, scale in places}
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
