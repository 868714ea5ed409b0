"""`bench figure curve`: its options, and the way from a finished run to curves over the scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, ScalePair, counted, format_scale, format_times
from bench.api.lists import names
from bench.figures.contract import Drawn, Warn
from bench.figures.from_run import RunFigure, protocol_sentences

if TYPE_CHECKING:
    from bench.figures.curve.numbers import Line


@dataclass(frozen=True, kw_only=True)
class Curve(RunFigure):
    """Means over the scales with a band over the images; where a method was trained is shaded and marked."""

    summary: ClassVar[str] = "Metrics of a run over the scales, with bands and training ranges."

    metrics: Annotated[str, typer.Option(help="A panel each, in this order; default all of the run.")] = ""
    seed: Annotated[int, typer.Option(min=0, help="Of the resampling behind the bands.")] = 0

    def draw(self, warn: Warn) -> Drawn:
        """One panel per dataset and metric."""
        from bench.figures.curve.drawing import draw_curves
        from bench.figures.curve.numbers import DRAWS, LEVEL, lines_of
        from bench.figures.numbers import csv_text

        chosen = self.chosen(names(self.metrics))
        rows = chosen.table.methods
        pairs = [scale for scale in chosen.table.scales if isinstance(scale, ScalePair)]
        left_out = ", ".join(map(format_times, pairs))
        scales = len(chosen.table.scales) - len(pairs)
        if scales < 2:
            raise RequestError(
                "a curve needs at least two scales of one factor; repeat the run with the same --out and more "
                "--scales, or leave out --scales here"
            )
        lines = lines_of(chosen, seed=self.seed)
        spans = {row: chosen.frames.row(row.method, row.variant).train_scales for row in rows}
        trained = {row: span for row, span in spans.items() if span is not None}
        banded = any(point.low is not None for line in lines for point in line.points)
        caption = [
            f"Bands: {LEVEL:.0%} of the means over resampled images ({DRAWS} draws, seed {self.seed})."
            if banded
            else "",
            "Gray and bars: scales of the training; hollow: outside them." if trained else "",
            _missing(lines),
            f"Left out, for two factors have no place on an axis of one: {left_out}." if pairs else "",
        ]
        notes = [" ".join(filter(None, caption)), *protocol_sentences(chosen.table)]
        numbers = self.out.with_suffix(".csv")
        return Drawn(
            figure=draw_curves(lines, rows, trained, notes),
            texts={numbers: csv_text(_rows(lines))},
            shown="\n".join(note for note in notes if note),
            closing=f"{self.out} and {numbers.name}: {counted(len(rows), 'method')} at {counted(scales, 'scale')}",
        )


def _missing(lines: Sequence[Line]) -> str:
    """Which cells have no mean, as tables mark them."""
    found = [
        f"{line.row.display} {line.metric.display} {line.dataset} {format_times(point.scale)} {point.missing}".strip()
        for line in lines
        for point in line.points
        if point.mean is None
    ]
    return f"No point (n/N: only n of N images have a value): {'; '.join(found)}." if found else ""


def _rows(lines: Sequence[Line]) -> list[Mapping[str, Any]]:
    return [
        {
            "dataset": line.dataset,
            "metric": line.metric.name,
            "method": line.row.method,
            "variant": line.row.variant,
            "scale": format_scale(point.scale),
            **point.columns(),
        }
        for line in lines
        for point in line.points
    ]
