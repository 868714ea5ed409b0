"""`bench figure crops`: its options, and the way from stored images to a sheet of crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, format_scale
from bench.api.lists import names
from bench.figures import options as opt
from bench.figures.contract import Drawn, Warn
from bench.figures.from_run import Chosen, RunFigure, protocol_sentences

if TYPE_CHECKING:
    from bench.figures.crops.content import Row
    from bench.figures.sheet import Group, Panel
    from bench.report.model import MetricColumn

_SMALLEST = 16
"""Pixels of a crop's side that nobody gave, where the image has them."""
_TIMES = 3
"""Dots per pixel that such a crop is made for."""


@dataclass(frozen=True, kw_only=True)
class Crops(RunFigure):
    """The same part of an image as every method made it, enlarged without interpolation; a row per image and scale."""

    summary: ClassVar[str] = "Crops of a run side by side: LR, HR and every method, with their values."

    image: Annotated[
        list[str] | None,
        typer.Option(help="Show this image; may be given several times. Default: chosen by --rule.", show_default=False),
    ] = None
    box: Annotated[
        list[str] | None,
        typer.Option(
            help="x,y,w,h in pixels of the result at the first scale: one per --image, or one for all. "
            "Default: where the methods differ most.",
            show_default=False,
        ),
    ] = None
    rule: Annotated[
        str, typer.Option(help="Images that nobody named: disagreement (the largest), or median (by a metric).")
    ] = "disagreement"
    by: Annotated[str | None, typer.Option(help="The metric of --rule median; default the first shown.")] = None
    count: Annotated[int, typer.Option(min=1, max=12, help="How many images --rule chooses.")] = 1
    size: Annotated[
        int | None, typer.Option(min=2, help="Side in pixels of boxes that nobody gave; default: as fits the page.")
    ] = None
    metrics: Annotated[str, typer.Option(help="Values below the crops; default the first two of the run.")] = ""
    crop_values: Annotated[
        bool, typer.Option("--crop-values", help="Values of the crops instead of those of the whole images.")
    ] = False
    seed: Annotated[int | None, typer.Option(min=0, help="Of stochastic methods; default the first of each.")] = None
    data: Annotated[str, typer.Option(help="Where the run's images lie, if they were moved.")] = ""
    data_root: opt.DataRoot = None
    weights_root: opt.WeightsRoot = None

    def draw(self, warn: Warn) -> Drawn:
        """Read, choose, cut out."""
        from bench.figures.crops.content import RULES, Images, Wish, choose, rows_of
        from bench.figures.numbers import csv_text
        from bench.figures.pictures import Box
        from bench.figures.sheet import Sheet, cell_dots, draw_sheet
        from bench.figures.stored import StoredRun

        if self.rule not in RULES:
            raise RequestError(f"--rule {self.rule}: choose {' or '.join(RULES)}")
        given = tuple(Box.parse(text) for text in self.box or ())
        chosen = self.chosen()
        metrics = shown_metrics(self, chosen, names(self.metrics), self.by)
        shown = metrics[: len(names(self.metrics)) or 2]
        columns = len(chosen.table.methods) + 2
        room = cell_dots(columns, whole=True)
        side = self.size or max(_SMALLEST, room // _TIMES)
        wish = Wish(
            images=tuple(self.image or ()),
            boxes=given,
            rule=self.rule,
            by=self.by,
            count=self.count,
            size=(side, side),
            seed=self.seed,
        )
        stored = StoredRun(self.run_folders, protocol=chosen.table.protocol, data=self.data, data_root=self.data_root)
        images = Images(stored, chosen, self.seed)
        boxes, said = choose(images, chosen, metrics, wish)
        found = rows_of(
            images, chosen, shown, boxes, crop_values=self.crop_values, weights_root=self.weights_root
        )
        widest = max(row.box.width for rows in found for row in rows)
        caption = [_caption(shown, crops=self.crop_values), said, _seeds(found, chosen)]
        notes = [" ".join(filter(None, caption)), *protocol_sentences(narrowed(chosen, shown).table)]
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
            closing=f"{self.out} and {numbers.name}: {len(found)} images at {len(chosen.table.scales)} scales",
        )


def shown_metrics(request: RunFigure, chosen: Chosen, wanted: Sequence[str], by: str | None = None) -> list[MetricColumn]:
    """The metrics whose values are wanted, then the others that have a value for each image.

    Raises:
        RequestError: the run does not hold one of them, or only of whole sets.
    """
    there = {metric.name: metric for metric in chosen.per_image()}
    for name in (*wanted, *([by] if by else [])):
        if name in there:
            continue
        request.chosen([name])  # says so where the run does not hold it
        raise RequestError(f"{name} has no value for single images in this run; it has {', '.join(there) or 'none'}")
    return [*(there[name] for name in wanted), *(there[name] for name in there if name not in wanted)]


def narrowed(chosen: Chosen, metrics: Sequence[MetricColumn]) -> Chosen:
    """The same with these metrics alone, so that only their signatures stand below."""
    from dataclasses import replace

    return replace(chosen, table=chosen.table.part(metrics=metrics))


def _has_hr(found: Sequence[Sequence[Row]]) -> bool:
    return any(row.view.hr is not None for rows in found for row in rows)


def _caption(metrics: Sequence[MetricColumn], *, crops: bool) -> str:
    from bench.report.layout import Head

    if not metrics:
        return ""
    listed = ", ".join(Head(metric.display, direction=metric.direction).plain for metric in metrics)
    of = "crop, no border left out" if crops else "whole image"
    return f"Below: {listed} of the {of}; best of each row in bold."


def _seeds(found: Sequence[Sequence[Row]], chosen: Chosen) -> str:
    seeds = {
        row.display: result.seed
        for rows in found
        for each in rows
        for row, result in zip(chosen.table.methods, each.view.results, strict=True)
        if result.seed
    }
    return f"Seeds other than 0: {', '.join(f'{name} {seed}' for name, seed in seeds.items())}." if seeds else ""


def _group(rows: Sequence[Row], metrics: Sequence[MetricColumn], *, whole: bool) -> Group:
    from bench.figures.crops.content import reference_of
    from bench.figures.sheet import Group, Strip

    strips = tuple(Strip(f"×{format_scale(row.view.scale)}", _panels(row, metrics, hr=whole)) for row in rows)
    return Group(rows[0].view.image, strips, reference_of(rows[0].view), rows[0].box)


def _panels(row: Row, metrics: Sequence[MetricColumn], *, hr: bool) -> tuple[Panel, ...]:
    from bench.figures.crops.content import texts
    from bench.figures.pictures import as_shown, enlarged_lr
    from bench.figures.sheet import Panel
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
