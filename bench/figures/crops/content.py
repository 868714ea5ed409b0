"""The rows of a sheet of crops: an image at a scale with its box, and the values of image or crop under each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.api import RequestError
from bench.figures.from_run import Chosen
from bench.figures.pictures import Box
from bench.figures.stored import View
from bench.figures.views import Images, box_at, values_of
from bench.metrics.scorer import Scorer
from bench.report.model import MetricColumn


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
            own = box_at(view, box, before)
            if crop_values:
                values = _of_crops(view, own, metrics, weights_root)
            else:
                values = values_of(view, chosen, images.dataset, metrics)
            rows.append(Row(view=view, box=own, values=values))
        found.append(rows)
        images.forget(image)
    return found


def _of_crops(
    view: View, box: Box, metrics: Sequence[MetricColumn], weights_root: Path | None
) -> tuple[dict[str, float], ...]:
    """Per method the values of its crop."""
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
        scored = scorer.score(crop, hr, None, view.scale, f"{view.image}|{box}")
        found.append({name: each.value for name, each in scored.items() if each.value is not None})
    return tuple(found)
