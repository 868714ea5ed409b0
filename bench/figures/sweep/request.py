"""`bench figure sweep`: its options, and the way from an ablation's run folder to curves over the swept option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, counted
from bench.api.lists import names
from bench.figures.contract import Drawn, Warn
from bench.figures.from_run import RunFigure, protocol_sentences

if TYPE_CHECKING:
    from bench.figures.sweep.numbers import SweepLine


@dataclass(frozen=True, kw_only=True)
class SweepCurve(RunFigure):
    """Means over the values of a swept option, with a band over the images."""

    summary: ClassVar[str] = "Metrics of an ablation over the option that it swept, with bands."

    metrics: Annotated[str, typer.Option(help="A panel each, in this order; default all of the run.")] = ""
    option: Annotated[str | None, typer.Option(help="Of the horizontal axis; default the only one of numbers.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling behind the bands.")] = 0

    def draw(self, warn: Warn) -> Drawn:
        """One panel per dataset and metric."""
        from bench.ablation.record import read_record
        from bench.figures.curve.numbers import DRAWS, LEVEL
        from bench.figures.numbers import csv_text
        from bench.figures.sweep.drawing import draw_sweep
        from bench.figures.sweep.numbers import sweep_lines, swept_option

        if len(self.run_folders) > 1:
            raise RequestError("a sweep lies in one run folder; give only that")
        record = read_record(self.run_folders[0])
        option = swept_option(record, self.option)
        # the folder may hold other ablations: only rows of this one
        own = [f"{v.method}:{v.name}" for v in record.variants if option in v.settings]
        chosen = replace(self, variant=[*(self.variant or own)]).chosen(names(self.metrics))
        lines = sweep_lines(chosen, record, option, seed=self.seed)
        if not lines:
            raise RequestError("the run holds no numbers of the sweep; finish it first")
        banded = any(point.low is not None for line in lines for _, point in line.points)
        bands = f"Bands: {LEVEL:.0%} of the means over resampled images ({DRAWS} draws, seed {self.seed})."
        notes = [f"{record.title}. {bands if banded else ''}", *protocol_sentences(chosen.table)]
        numbers = self.out.with_suffix(".csv")
        return Drawn(
            figure=draw_sweep(lines, option, notes),
            texts={numbers: csv_text(_rows(lines, option))},
            shown="\n".join(notes),
            closing=f"{self.out} and {numbers.name}: {counted(len(lines), 'line')} over {option}",
        )


def _rows(lines: Sequence[SweepLine], option: str) -> list[Mapping[str, Any]]:
    return [
        {
            "dataset": line.dataset,
            "metric": line.metric.name,
            "line": line.name,
            option: f"{value:g}",
            **point.columns(),
        }
        for line in lines
        for value, point in line.points
    ]
