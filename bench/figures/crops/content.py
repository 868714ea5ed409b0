"""What a sheet of crops shows: views of the chosen images, their boxes, and the numbers under each crop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.api import RequestError, Size, Unavailable, format_scale
from bench.figures.crops.boxes import disagreement, spread_images, widest_disagreement
from bench.figures.from_run import Chosen
from bench.figures.pictures import U8, Box, as_shown, enlarged_lr
from bench.figures.stored import StoredRun, View
from bench.metrics.scorer import Scorer
from bench.report.model import MetricColumn, printed

RULES = ("disagreement", "median")
"""How images are chosen where none is named."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the options ask for.

    Attributes:
        images: Named ones; empty: `count` of them by `rule`.
        boxes: One per named image, or one for all; empty: by disagreement.
        size: (height, width) of a box that nobody gave.
        by: The metric of the rule "median"; None: the first that is shown.
    """

    images: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    rule: str = "disagreement"
    by: str | None = None
    count: int = 1
    size: Size = (64, 64)
    seed: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One image at one scale.

    Attributes:
        view: Its images.
        box: The part that is shown, in pixels of the results.
        values: Per method: metric -> value; what is absent could not be had.
    """

    view: View
    box: Box
    values: tuple[Mapping[str, float], ...]


class Images:
    """Views of one dataset of a run, each read once."""

    def __init__(self, stored: StoredRun, chosen: Chosen, seed: int | None) -> None:
        self._stored, self._chosen, self._seed = stored, chosen, seed
        self._views: dict[tuple[str, float], View] = {}
        self.dataset = chosen.one_dataset

    def view(self, image: str, scale: float) -> View:
        """An image at a scale."""
        key = (image, scale)
        if key not in self._views:
            rows = self._chosen.table.methods
            self._views[key] = self._stored.view(self.dataset, scale, image, rows, seed=self._seed)
        return self._views[key]

    def forget(self, image: str) -> None:
        """Give back the memory of an image."""
        self._views = {key: view for key, view in self._views.items() if key[0] != image}

    def names(self, scale: float) -> list[str]:
        """All images at a scale."""
        return self._stored.images(self.dataset, scale)


def reference_of(view: View) -> U8:
    """HR, or where there is none the enlarged LR image."""
    return as_shown(view.hr) if view.hr is not None else enlarged_lr(view.lr, view.size)


def choose(images: Images, chosen: Chosen, metrics: Sequence[MetricColumn], wish: Wish) -> tuple[dict[str, Box], str]:
    """Image -> its box at the first scale, and a sentence that says how they were chosen.

    Raises:
        RequestError: an image or a box that there is not.
    """
    scale = chosen.table.scales[0]
    if wish.boxes and not wish.images:
        raise RequestError("--box is a part of an image: name it with --image NAME")
    if len(wish.boxes) > 1 and len(wish.boxes) != len(wish.images):
        raise RequestError(f"{len(wish.boxes)} boxes for {len(wish.images)} images; give one --box, or one per --image")
    if wish.images:
        boxes = {}
        for place, image in enumerate(wish.images):
            view = images.view(image, scale)
            given = wish.boxes[place if len(wish.boxes) > 1 else 0] if wish.boxes else None
            if given is not None and not given.within(view.size):
                raise RequestError(
                    f"--box {given} is not inside {image} at x{format_scale(scale)}, which is {view.size[1]} px wide "
                    f"and {view.size[0]} px high; give x,y,w,h within it"
                )
            boxes[image] = given or _apart(view, wish.size)[0]
        return boxes, "Boxes are given." if wish.boxes else _box_rule(chosen)
    if wish.rule == "median":
        metric = next((m for m in metrics if m.name == wish.by), metrics[0])
        names = spread_images(_means(chosen, images.dataset, scale, metric), wish.count)
        if not names:
            raise RequestError(f"no image has a {metric.name} of every method at x{format_scale(scale)}; use another --by")
        boxes = {image: _apart(images.view(image, scale), wish.size)[0] for image in names}
        at = "the median image" if wish.count == 1 else "images at even ranks"
        said = f"Shown: {at} by {metric.display} at ×{format_scale(scale)}, averaged over the methods."
        return boxes, f"{said} {_box_rule(chosen)}"
    ranked: list[tuple[float, str, Box]] = []
    for image in images.names(scale):
        box, apart = _apart(images.view(image, scale), wish.size)
        ranked.append((-round(apart, 6), image, box))
        ranked = sorted(ranked, key=lambda item: item[:2])[: wish.count]
        if image not in [name for _, name, _ in ranked]:
            images.forget(image)
    what = "the image" if wish.count == 1 else "the images"
    return {image: box for _, image, box in ranked}, f"Shown: {what} of the largest disagreement. {_box_rule(chosen)}"


def rows_of(
    images: Images,
    chosen: Chosen,
    metrics: Sequence[MetricColumn],
    boxes: Mapping[str, Box],
    *,
    crop_values: bool,
    weights_root: Path | None = None,
) -> list[list[Row]]:
    """Per image its rows, a scale each.

    Raises:
        RequestError: an image that a scale lacks, or a metric that cannot be had of crops here.
    """
    first = chosen.table.scales[0]
    found = []
    for image, box in boxes.items():
        before = images.view(image, first).size
        rows = []
        for scale in chosen.table.scales:
            view = images.view(image, scale)
            own = box.scaled(before, view.size) if view.fixed_view else box
            if not own.within(view.size):
                raise RequestError(
                    f"--box {own} is not inside {image} at x{format_scale(scale)}, where it is {view.size[1]} px wide "
                    f"and {view.size[0]} px high; give a box within it, or fewer --scales"
                )
            if crop_values:
                values = _of_crops(view, own, metrics, weights_root)
            else:
                values = _of_images(view, chosen, images.dataset, metrics)
            rows.append(Row(view=view, box=own, values=values))
        found.append(rows)
        images.forget(image)
    return found


def texts(values: Sequence[Mapping[str, float]], metric: MetricColumn) -> list[str]:
    """The values of a metric as tables print them; a dash where there is none."""
    return [printed(own[metric.name], metric.decimals) if metric.name in own else "–" for own in values]


def _apart(view: View, size: Size) -> tuple[Box, float]:
    results = [as_shown(result.pixels) for result in view.results if result.pixels is not None]
    if not results:
        raise RequestError(f"{view.image} at x{format_scale(view.scale)}: no method has an image of it")
    return widest_disagreement(disagreement(results, reference_of(view)), size)


def _box_rule(chosen: Chosen) -> str:
    what = "the methods differ" if len(chosen.table.methods) > 1 else "result and reference differ"
    at = f" at ×{format_scale(chosen.table.scales[0])}" if len(chosen.table.scales) > 1 else ""
    return f"Boxes: where {what} most{at} (mean standard deviation of the levels)."


def _means(chosen: Chosen, dataset: str, scale: float, metric: MetricColumn) -> dict[str, float]:
    """Image -> mean over the methods, for images of which all have a value."""
    own = [chosen.images(dataset, scale, metric.name, row) for row in chosen.table.methods]
    shared = set(own[0]).intersection(*own[1:])
    return {image: float(np.mean([values[image] for values in own])) for image in shared}


def _of_images(
    view: View, chosen: Chosen, dataset: str, metrics: Sequence[MetricColumn]
) -> tuple[dict[str, float], ...]:
    found = []
    for row, result in zip(chosen.table.methods, view.results, strict=True):
        values = {m.name: chosen.images(dataset, view.scale, m.name, row, result.seed) for m in metrics}
        found.append({name: own[view.image] for name, own in values.items() if view.image in own})
    return tuple(found)


def _of_crops(
    view: View, box: Box, metrics: Sequence[MetricColumn], weights_root: Path | None
) -> tuple[dict[str, float], ...]:
    # the border that a protocol leaves out is that of the image, which a crop does not have
    protocol = replace(view.protocol, shave="0", ssim_shave=None, nr_shave=0)
    scorer = Scorer([metric.name for metric in metrics], protocol, weights_root=weights_root)
    for name, reason in scorer.unavailable().items():
        raise RequestError(f"{name} cannot be computed of crops here: {reason}")
    hr = None if view.hr is None else np.ascontiguousarray(box.of(view.hr))
    found = []
    for result in view.results:
        if result.pixels is None:
            found.append({})
            continue
        crop = np.ascontiguousarray(box.of(result.pixels))
        try:
            scored = scorer.score(crop, hr, None, view.scale, f"{view.image}|{box}")
        except Unavailable as fault:
            raise RequestError(f"crops cannot be scored: {fault}") from None
        found.append({name: each.value for name, each in scored.items() if each.value is not None})
    return tuple(found)
