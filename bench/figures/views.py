"""Which images of a run a figure shows, at which scales and with which box, and the values of the whole images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.api import RequestError, Scale, Size, format_scale, format_times
from bench.figures.boxes import disagreement, spread_images, widest_disagreement
from bench.figures.from_run import Chosen
from bench.figures.pictures import U8, Box, as_shown, enlarged_lr
from bench.figures.stored import StoredViews, View
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


@dataclass(frozen=True)
class Choice:
    """What is shown.

    Attributes:
        boxes: Image -> its box, in pixels of the results at the first scale.
        shown: A sentence on the choice of images; empty where they were named.
        boxed: A sentence on the choice of boxes; empty where they were given.
    """

    boxes: Mapping[str, Box]
    shown: str
    boxed: str


class Images:
    """Views of one dataset of a run, each read once."""

    def __init__(self, stored: StoredViews, chosen: Chosen, seed: int | None) -> None:
        self._stored, self._chosen, self._seed = stored, chosen, seed
        self._views: dict[tuple[str, Scale], View] = {}
        self.dataset = chosen.one_dataset

    def view(self, image: str, scale: Scale) -> View:
        """An image at a scale."""
        key = (image, scale)
        if key not in self._views:
            rows = self._chosen.table.methods
            self._views[key] = self._stored.view(self.dataset, scale, image, rows, seed=self._seed)
        return self._views[key]

    def forget(self, image: str) -> None:
        """Give back the memory of an image."""
        self._views = {key: view for key, view in self._views.items() if key[0] != image}

    def names(self, scale: Scale) -> list[str]:
        """All images at a scale."""
        return self._stored.images(self.dataset, scale)


def reference_of(view: View) -> U8:
    """HR, or where there is none the enlarged LR image."""
    return as_shown(view.hr) if view.hr is not None else enlarged_lr(view.lr, view.size)


def choose(images: Images, chosen: Chosen, metrics: Sequence[MetricColumn], wish: Wish) -> Choice:
    """The images that are shown and their boxes.

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
        return Choice(boxes, "", "" if wish.boxes else _box_rule(chosen))
    if wish.rule == "median":
        metric = next((m for m in metrics if m.name == wish.by), metrics[0])
        names = spread_images(_means(chosen, images.dataset, scale, metric), wish.count)
        if not names:
            raise RequestError(
                f"no image has a {metric.name} of every method at x{format_scale(scale)}; use another --by"
            )
        boxes = {image: _apart(images.view(image, scale), wish.size)[0] for image in names}
        at = "the median image" if wish.count == 1 else "images at even ranks"
        said = f"Shown: {at} by {metric.display} at {format_times(scale)}, averaged over the methods."
        return Choice(boxes, said, _box_rule(chosen))
    ranked: list[tuple[float, str, Box]] = []
    for image in images.names(scale):
        box, apart = _apart(images.view(image, scale), wish.size)
        ranked.append((-round(apart, 6), image, box))
        ranked = sorted(ranked, key=lambda item: item[:2])[: wish.count]
        if image not in [name for _, name, _ in ranked]:
            images.forget(image)
    what = "the image" if wish.count == 1 else "the images"
    said = f"Shown: {what} of the largest disagreement at {format_times(scale)}."
    return Choice({image: box for _, image, box in ranked}, said, _box_rule(chosen))


def values_of(
    view: View, chosen: Chosen, dataset: str, metrics: Sequence[MetricColumn]
) -> tuple[dict[str, float], ...]:
    """Per method the values of a whole image: metric -> value, without those that are not there."""
    found = []
    for row, result in zip(chosen.table.methods, view.results, strict=True):
        values = {m.name: chosen.images(dataset, view.scale, m.name, row, result.seed) for m in metrics}
        found.append({name: own[view.image] for name, own in values.items() if view.image in own})
    return tuple(found)


def box_at(view: View, box: Box, before: Size) -> Box:
    """The box at another scale than the first.

    Args:
        view: The image there.
        box: In pixels of the result at the first scale.
        before: (height, width) of that.
    Raises:
        RequestError: it is not inside the image.
    """
    own = box.scaled(before, view.size) if view.fixed_view else box
    if own.within(view.size):
        return own
    raise RequestError(
        f"--box {own} is not inside {view.image} at x{format_scale(view.scale)}, where it is {view.size[1]} px wide "
        f"and {view.size[0]} px high; give a box within it, or fewer --scales"
    )


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
    at = f" at {format_times(chosen.table.scales[0])}" if len(chosen.table.scales) > 1 else ""
    return f"Boxes: where {what} most{at} (mean standard deviation of the levels)."


def _means(chosen: Chosen, dataset: str, scale: Scale, metric: MetricColumn) -> dict[str, float]:
    """Image -> mean over the methods, for images of which all have a value."""
    own = [chosen.images(dataset, scale, metric.name, row) for row in chosen.table.methods]
    shared = set(own[0]).intersection(*own[1:])
    return {image: float(np.mean([values[image] for values in own])) for image in shared}


def seed_sentence(views: Sequence[View], chosen: Chosen) -> str:
    """Which seeds are shown, where they are not 0."""
    seeds = {
        row.display: result.seed
        for view in views
        for row, result in zip(chosen.table.methods, view.results, strict=True)
        if result.seed
    }
    return f"Seeds other than 0: {', '.join(f'{name} {seed}' for name, seed in seeds.items())}." if seeds else ""
