"""`bench figure errors`: its options, and the way from stored images to maps of their errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from bench.api import RequestError, Scale, counted, format_scale, format_times
from bench.figures.contract import Drawn, Warn
from bench.figures.from_run import protocol_sentences
from bench.figures.of_images import ImageFigure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bench.figures.pictures import Box
    from bench.figures.stored import View
    from bench.figures.views import Images

_SHARE = 0.995
"""Of the errors shown lie within the scale of colours, so that a few outliers do not darken all the rest."""


@dataclass(frozen=True, kw_only=True)
class Errors(ImageFigure):
    """|SR - HR| of every method, averaged over the channels, all maps in one scale of colours."""

    summary: ClassVar[str] = "Maps of |SR - HR| of a run, all in one scale of colours."

    largest: Annotated[
        float | None,
        typer.Option(min=0.5, max=255, help="Levels at the end of the colours; default: 99.5 % of the errors shown."),
    ] = None

    def draw(self, warn: Warn) -> Drawn:
        """Read, compare, colour."""
        import numpy as np

        from bench.figures.numbers import csv_text
        from bench.figures.pictures import as_shown
        from bench.figures.sheet import Group, Panel, Sheet, Strip, cell_dots, draw_sheet
        from bench.figures.views import choose, seed_sentence, texts, values_of
        from bench.report.grid import Head

        chosen, metrics, shown = self.with_metrics()
        images = self.images_of(chosen)
        choice = choose(images, chosen, metrics, self.wish((64, 64)))
        maps = {
            image: _maps(images, image, chosen.table.scales, box if self.box else None)
            for image, box in choice.boxes.items()
        }
        levels = np.concatenate([error.ravel() for rows in maps.values() for row in rows for error in row.there])
        largest = self.largest or max(1.0, float(math.ceil(np.quantile(levels, _SHARE))))
        groups, lines = [], []
        for image, rows in maps.items():
            strips = []
            for row in rows:
                values = values_of(row.view, chosen, images.dataset, shown)
                words = list(zip(*[texts(values, metric) for metric in shown], strict=True)) or [()] * len(values)
                panels = [Panel(as_shown(row.hr))]
                for error, result, below in zip(row.errors, row.view.results, words, strict=True):
                    if error is None:
                        panels.append(Panel(None, missing=result.reason))
                    else:
                        panels.append(Panel(coloured(error, largest), (*below, f"mean {error.mean():.2f}")))
                strips.append(Strip(f"{format_times(row.view.scale)}", tuple(panels)))
                lines += _lines(row, images.dataset, chosen.table.methods, values)
            groups.append(Group(image, tuple(strips)))
        listed = ", ".join(Head(metric.display, direction=metric.direction).plain for metric in shown)
        views = [row.view for rows in maps.values() for row in rows]
        caption = (
            "Maps: |SR − HR| in levels of 255, averaged over the channels; one scale of colours, which ends at "
            f"{largest:g}.",
            f"Below: {f'{listed} of the whole image, then ' if listed else ''}the mean of the map.",
            choice.shown,
            f"Part shown: {', '.join(f'{image} {box}' for image, box in choice.boxes.items())}." if self.box else "",
            seed_sentence(views, chosen),
        )
        notes = [" ".join(filter(None, caption)), *protocol_sentences(chosen.table.part(metrics=shown))]
        sheet = Sheet(
            columns=("HR", *(row.display for row in chosen.table.methods)),
            groups=tuple(groups),
            notes=tuple(notes),
            colours=(largest, "|SR − HR|, levels"),
        )
        numbers = self.out.with_suffix(".csv")
        across = cell_dots(len(sheet.columns), whole=False, colours=True)
        return Drawn(
            figure=draw_sheet(sheet, across),
            texts={numbers: csv_text(lines)},
            shown="\n".join(notes),
            closing=f"{self.out} and {numbers.name}: "
            f"{counted(len(maps), 'image')} at {counted(len(chosen.table.scales), 'scale')}",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Row:
    """The maps of one image at one scale; None where a method has no image."""

    view: View
    hr: NDArray[np.uint8]
    errors: tuple[NDArray[np.float32] | None, ...]

    @property
    def there(self) -> list[NDArray[np.float32]]:
        """Those that there are."""
        return [error for error in self.errors if error is not None]


def coloured(error: NDArray[np.float32], largest: float) -> NDArray[np.uint8]:
    """A map in the colours of every figure, black for 0; what is above `largest` has the last colour."""
    import matplotlib
    import numpy as np

    from bench.figures.page import COLOUR_MAP

    shades = matplotlib.colormaps[COLOUR_MAP](np.clip(error / largest, 0, 1), bytes=True)
    return np.asarray(shades[..., :3], np.uint8)


def _maps(images: Images, image: str, scales: Sequence[Scale], box: Box | None) -> list[_Row]:
    rows = []
    for scale in scales:
        view = images.view(image, scale)
        hr = view.hr
        if hr is None:
            raise RequestError(
                f"{images.dataset} has no HR images, so there are no errors to map; see 'bench figure crops'"
            )
        from bench.figures.views import box_at
        from bench.imaging.difference import absolute_error

        part = None if box is None else box_at(view, box, images.view(image, scales[0]).size)
        errors = [None if each.pixels is None else absolute_error(each.pixels, hr) for each in view.results]
        if part is not None:
            hr, errors = part.of(hr), [None if error is None else part.of(error) for error in errors]
        rows.append(_Row(view=view, hr=hr, errors=tuple(errors)))
    images.forget(image)
    return rows


def _lines(
    row: _Row, dataset: str, methods: Sequence[Any], values: Sequence[Mapping[str, float]]
) -> list[Mapping[str, Any]]:
    """The file of numbers: one line per image, scale and method."""
    return [
        {
            "dataset": dataset,
            "image": row.view.image,
            "scale": format_scale(row.view.scale),
            "method": method.method,
            "variant": method.variant,
            "seed": result.seed,
            "mean_error": None if error is None else round(float(error.mean()), 6),
            "largest_error": None if error is None else round(float(error.max()), 6),
            **own,
        }
        for method, result, error, own in zip(methods, row.view.results, row.errors, values, strict=True)
    ]
