"""Points of curves over a swept option: a line per dataset, metric, scale and combination of the other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.ablation.record import AblationRecord, VariantRecord
from bench.api import RequestError, format_times
from bench.figures.curve.numbers import Point, point_of
from bench.figures.from_run import Chosen
from bench.report.model import MetricColumn


@dataclass(frozen=True, kw_only=True)
class SweepLine:
    """One line of one panel.

    Attributes:
        dataset, metric: Its panel.
        name: Scale and other settings, as the legend says them; "" where neither differs.
        points: (value of the option, what was measured there), rising.
    """

    dataset: str
    metric: MetricColumn
    name: str
    points: tuple[tuple[float, Point], ...]


def swept_option(record: AblationRecord, wanted: str | None = None) -> str:
    """The option that the curve is drawn over.

    Args:
        record: Of the run folder.
        wanted: As the user says; None: the only one that takes several numbers.
    Raises:
        RequestError: none does, or several do and nobody says which.
    """
    values: dict[str, list[float | None]] = {}
    for variant in record.variants:
        for option, text in variant.settings.items():
            values.setdefault(option, []).append(_number(text))
    numeric = [option for option, own in values.items() if None not in own and len(set(own)) > 1]
    if wanted is not None and wanted not in numeric:
        raise RequestError(f"--option {wanted}: this run swept over {_listed(numeric)}")
    if wanted is None and len(numeric) != 1:
        raise RequestError(
            f"a curve is over one option, and this run swept over {_listed(numeric)}; say which: --option"
        )
    return wanted or numeric[0]


def sweep_lines(chosen: Chosen, record: AblationRecord, option: str, *, seed: int) -> list[SweepLine]:
    """All lines, per dataset and metric.

    Args:
        chosen: The rows of the sweep.
        record: Their settings.
        option: Of the horizontal axis.
        seed: Of the resampling behind the bands.
    """
    table = chosen.table
    rows = {(row.method, row.variant): row for row in table.methods}
    series = _series(record, option)
    lines = []
    for dataset in table.datasets:
        for metric in table.metrics:
            for scale in sorted(table.scales):
                for words, variants in series.items():
                    points = []
                    for variant in variants:
                        row = rows.get((variant.method, variant.name))
                        point = point_of(chosen, dataset, scale, metric, row, seed) if row is not None else None
                        if point is not None:
                            points.append((float(variant.settings[option]), point))
                    at = f"{format_times(scale)}" if len(table.scales) > 1 else ""
                    name = ", ".join(filter(None, [at, words]))
                    points.sort(key=lambda pair: pair[0])
                    if points:
                        lines.append(SweepLine(dataset=dataset, metric=metric, name=name, points=tuple(points)))
    return lines


def _series(record: AblationRecord, option: str) -> Mapping[str, Sequence[VariantRecord]]:
    """The variants of one line each, by what tells the lines apart."""
    found: dict[str, list[VariantRecord]] = {}
    for variant in record.variants:
        if option in variant.settings:
            others = [f"{name}={text}" for name, text in variant.settings.items() if name != option]
            found.setdefault(", ".join([*([variant.of] if variant.of else []), *others]), []).append(variant)
    return {"": next(iter(found.values()))} if len(found) == 1 else found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no option with several numbers"
