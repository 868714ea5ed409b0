"""`bench figure plane`: its options, and the way from a finished run to a plane of two metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, Scale, counted, format_scale, format_times
from bench.figures.contract import Drawn, Warn
from bench.figures.from_run import Chosen, RunFigure, protocol_sentences, why_missing

if TYPE_CHECKING:
    from bench.figures.plane.points import PlanePoint
    from bench.report.model import MetricColumn


@dataclass(frozen=True, kw_only=True)
class Plane(RunFigure):
    """A point per method, a panel per dataset and scale, and the front that no method beats in both."""

    summary: ClassVar[str] = "Two metrics of a run against each other, such as distortion and perception."

    x: Annotated[str, typer.Option(help="The metric across.")] = "psnr"
    y: Annotated[str, typer.Option(help="The metric upwards.")] = "lpips"

    def draw(self, warn: Warn) -> Drawn:
        """One panel per dataset and scale."""
        from bench.figures.numbers import csv_text
        from bench.figures.plane.drawing import draw_plane

        if self.x == self.y:
            raise RequestError(f"--x and --y are both {self.x}; give two metrics")
        chosen = self.chosen([self.x, self.y])
        x, y = chosen.table.metrics
        for metric in (x, y):
            if metric.direction is None:
                raise RequestError(f"nobody here knows which way {metric.name} is better; give another --x or --y")
        places = [
            (dataset, scale)
            for dataset in chosen.table.datasets
            for scale in sorted(chosen.table.scales)
            if any(chosen.table.cell(dataset, scale, x.name, row).expected for row in chosen.table.methods)
        ]
        points, missing = _points(chosen, places, x, y)
        shown = f"No point: {'; '.join(missing)}." if missing else ""
        notes = [
            f"Filled and dashed: no other method is at least as good in both and better in one. {shown}".strip(),
            *protocol_sentences(chosen.table),
        ]
        numbers = self.out.with_suffix(".csv")
        return Drawn(
            figure=draw_plane(points, places, chosen.table.methods, (x, y), notes),
            texts={numbers: csv_text(_rows(points, x, y))},
            shown="\n".join(notes),
            closing=f"{self.out} and {numbers.name}: "
            f"{counted(len(chosen.table.methods), 'method')}, {counted(len(places), 'panel')}",
        )


def _points(
    chosen: Chosen, places: Sequence[tuple[str, Scale]], x: MetricColumn, y: MetricColumn
) -> tuple[list[PlanePoint], list[str]]:
    """Points with their fronts, and what has none because a mean is missing or infinite."""
    from bench.figures.plane.points import PlanePoint, on_front

    points: list[PlanePoint] = []
    missing = []
    for dataset, scale in places:
        own = []
        for row in chosen.table.methods:
            cells = [chosen.table.cell(dataset, scale, metric.name, row) for metric in (x, y)]
            values = [cell.value for cell in cells if cell.value is not None and math.isfinite(cell.value)]
            if len(values) == 2:
                own.append(PlanePoint(dataset=dataset, scale=scale, row=row, x=values[0], y=values[1]))
                continue
            why = next(why_missing(cell) for cell in cells if cell.value is None or not math.isfinite(cell.value))
            missing.append(f"{row.display} on {dataset} {format_times(scale)} {why}".strip())
        if x.direction is None or y.direction is None:
            continue
        fronts = on_front([(point.x, point.y) for point in own], x.direction, y.direction)
        points += [replace(point, front=front) for point, front in zip(own, fronts, strict=True)]
    return points, missing


def _rows(points: Sequence[PlanePoint], x: MetricColumn, y: MetricColumn) -> list[Mapping[str, Any]]:
    return [
        {
            "dataset": point.dataset,
            "scale": format_scale(point.scale),
            "method": point.row.method,
            "variant": point.row.variant,
            x.name: point.x,
            y.name: point.y,
            "front": str(point.front).lower(),
        }
        for point in points
    ]
