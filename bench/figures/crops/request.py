"""`bench figure crops`: its options, and the way from stored images to a sheet of crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import counted, format_scale, format_times
from bench.figures import options as opt
from bench.figures.contract import Drawn, Warn
from bench.figures.from_run import Chosen, protocol_sentences
from bench.figures.of_images import ImageFigure

if TYPE_CHECKING:
    from bench.figures.crops.content import Row
    from bench.figures.sheet import Group, Panel
    from bench.report.model import MetricColumn

_SMALLEST = 16
"""Pixels of a crop's side that nobody gave, where the image has them."""
_TIMES = 3
"""Dots per pixel that such a crop is made for."""


@dataclass(frozen=True, kw_only=True)
class Crops(ImageFigure):
    """The same part of an image as every method made it, enlarged without interpolation; a row per image and scale."""

    summary: ClassVar[str] = "Crops of a run side by side: LR, HR and every method, with their values."

    size: Annotated[
        int | None, typer.Option(min=2, help="Side in pixels of boxes that nobody gave; default: as fits the page.")
    ] = None
    crop_values: Annotated[
        bool, typer.Option("--crop-values", help="Values of the crops instead of those of the whole images.")
    ] = False
    weights_root: opt.WeightsRoot = None

    def draw(self, warn: Warn) -> Drawn:
        """Read, choose, cut out."""
        from bench.figures.crops.content import rows_of
        from bench.figures.numbers import csv_text
        from bench.figures.sheet import Sheet, cell_dots, draw_sheet
        from bench.figures.views import choose, seed_sentence

        chosen, metrics, shown = self.with_metrics()
        room = cell_dots(len(chosen.table.methods) + 2, whole=True)
        side = self.size or max(_SMALLEST, room // _TIMES)
        images = self.images_of(chosen)
        choice = choose(images, chosen, metrics, self.wish((side, side)))
        found = rows_of(
            images, chosen, shown, choice.boxes, crop_values=self.crop_values, weights_root=self.weights_root
        )
        widest = max(row.box.width for rows in found for row in rows)
        views = [row.view for rows in found for row in rows]
        caption = (_caption(shown, crops=self.crop_values), choice.shown, choice.boxed, seed_sentence(views, chosen))
        notes = [" ".join(filter(None, caption)), *protocol_sentences(chosen.table.part(metrics=shown))]
        sheet = Sheet(
            columns=("LR", *(["HR"] if _has_hr(found) else []), *(row.display for row in chosen.table.methods)),
            groups=tuple(_group(rows, shown, whole=_has_hr(found)) for rows in found),
            notes=tuple(notes),
        )
        numbers = self.out.with_suffix(".csv")
        return Drawn(
            figure=draw_sheet(sheet, cell_dots(len(sheet.columns), whole=True, smallest=widest)),
            texts={numbers: csv_text(list(_lines(found, chosen, shown, crops=self.crop_values)))},
            shown="\n".join(notes),
            closing=f"{self.out} and {numbers.name}: "
            f"{counted(len(found), 'image')} at {counted(len(chosen.table.scales), 'scale')}",
        )


def _has_hr(found: Sequence[Sequence[Row]]) -> bool:
    return any(row.view.hr is not None for rows in found for row in rows)


def _caption(metrics: Sequence[MetricColumn], *, crops: bool) -> str:
    from bench.report.grid import Head

    if not metrics:
        return ""
    listed = ", ".join(Head(metric.display, direction=metric.direction).plain for metric in metrics)
    of = "crop, no border left out" if crops else "whole image"
    return f"Below: {listed} of the {of}; best of each row in bold."


def _group(rows: Sequence[Row], metrics: Sequence[MetricColumn], *, whole: bool) -> Group:
    from bench.figures.sheet import Group, Strip
    from bench.figures.views import reference_of

    strips = tuple(Strip(f"{format_times(row.view.scale)}", _panels(row, metrics, hr=whole)) for row in rows)
    return Group(rows[0].view.image, strips, reference_of(rows[0].view), rows[0].box)


def _panels(row: Row, metrics: Sequence[MetricColumn], *, hr: bool) -> tuple[Panel, ...]:
    from bench.figures.pictures import as_shown, enlarged_lr
    from bench.figures.sheet import Panel
    from bench.figures.views import texts
    from bench.report.model import Mark, MethodRow, mark_printed

    view, box = row.view, row.box
    panels = [Panel(box.of(enlarged_lr(view.lr, view.size)))]
    if hr:
        panels.append(Panel(None, missing="no HR") if view.hr is None else Panel(box.of(as_shown(view.hr))))
    lines = [texts(row.values, metric) for metric in metrics]
    best = []
    for metric, words in zip(metrics, lines, strict=True):
        keys = {MethodRow(str(n), "", ""): text for n, text in enumerate(words) if text != "–"}
        marks = mark_printed(keys, metric.direction)
        best.append({int(key.method) for key, mark in marks.items() if mark is Mark.BEST})
    for place, result in enumerate(view.results):
        pixels = None if result.pixels is None else box.of(as_shown(result.pixels))
        words = tuple(line[place] for line in lines)
        bold = tuple(n for n, places in enumerate(best) if place in places)
        panels.append(Panel(pixels, words, bold, result.reason))
    return tuple(panels)


def _lines(
    found: Sequence[Sequence[Row]], chosen: Chosen, metrics: Sequence[MetricColumn], *, crops: bool
) -> list[Mapping[str, Any]]:
    """The file of numbers: one line per image, scale and method."""
    return [
        {
            "dataset": chosen.one_dataset,
            "image": row.view.image,
            "scale": format_scale(row.view.scale),
            "box": str(row.box),
            "method": method.method,
            "variant": method.variant,
            "seed": result.seed,
            "of": "crop" if crops else "image",
            **{metric.name: values.get(metric.name) for metric in metrics},
        }
        for rows in found
        for row in rows
        for method, result, values in zip(chosen.table.methods, row.view.results, row.values, strict=True)
    ]
