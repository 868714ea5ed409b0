"""From a run to ranks: one value per block and method, as tables have them or image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.analysis import RunFrames, Selection, select
from bench.analysis.ranks import Ranks, rank_methods
from bench.api import MetricInfo, RequestError, Scale, counted, format_times
from bench.figures.contract import Warn
from bench.report.build import build_table
from bench.report.model import CellKey, MetricColumn, Table
from bench.report.ties import CellValues


@dataclass(frozen=True)
class RankedScales:
    """The ranks at each scale.

    Attributes:
        metric: What methods are ranked by.
        over: "datasets" or "images".
        scales: scale -> ranks.
        signature: How the numbers were made, one line each.
    """

    metric: MetricColumn
    over: str
    scales: Mapping[Scale, Ranks]
    signature: tuple[str, ...]


def rank_scales(
    frames: RunFrames, infos: Mapping[str, MetricInfo], selection: Selection, *, over: str, warn: Warn
) -> RankedScales:
    """Rank the methods of a run at each scale.

    Args:
        frames: The run.
        infos: metric -> its direction.
        selection: What to keep; names one metric.
        over: "datasets": a block is the mean of a set; "images": a block is an image.
        warn: Is told which methods (trained by the metric), blocks and scales are left out.
    Raises:
        RequestError: the numbers are of two protocols, versions or sets, or no scale has three methods and two blocks.
    """
    rows = select(frames.summary, selection, protocols=frames.protocols)
    table = build_table(rows, infos, frames=frames, protocol=selection.protocol)
    metric = table.metrics[0]
    if metric.direction is None:
        raise RequestError(f"nobody knows here which way {metric.display} is better, so it ranks nothing")
    flattered = [row.display for row in table.methods if row.trained_by(metric.name)]
    if flattered:
        warn(f"left out: {', '.join(flattered)}: {metric.display} was part of the loss in the training")
        table = replace(table, methods=tuple(row for row in table.methods if not row.trained_by(metric.name)))
    values = CellValues(rows, frames)
    found, faults = {}, []
    for scale in table.scales:
        blocks = _by_dataset(table, scale, warn) if over == "datasets" else _by_image(table, values, scale, warn)
        try:
            names = [row.display for row in table.methods]
            found[scale] = rank_methods(names, np.array(blocks).reshape(len(blocks), len(names)), metric.direction)
        except RequestError as fault:
            faults.append(f"{format_times(scale)}: {fault}")
    if not found:
        raise RequestError(faults[0])
    for fault in faults:
        warn(f"left out: {fault}")
    return RankedScales(metric, over, found, tuple(line.signature for line in table.signatures))


def rank_rows(ranked: RankedScales) -> list[dict[str, Any]]:
    """A line per scale and method, the best first."""
    return [
        {
            "metric": ranked.metric.name,
            "scale": scale,
            "method": name,
            "mean_rank": mean,
            "over": ranked.over,
            "blocks": ranks.blocks,
            "critical": ranks.critical,
            "friedman_p": ranks.p,
        }
        for scale, ranks in ranked.scales.items()
        for name, mean in zip(ranks.names, ranks.means, strict=True)
    ]


def _by_dataset(table: Table, scale: Scale, warn: Warn) -> list[list[float]]:
    """The means of all methods, of every dataset on which all were scored over the same images."""
    blocks = []
    for dataset in table.datasets:
        cells = [table.cell(dataset, scale, table.metrics[0].name, row) for row in table.methods]
        means = [cell.value for cell in cells if cell.value is not None]
        if len(means) == len(cells) and len({(cell.expected, cell.source) for cell in cells}) == 1:
            blocks.append(means)
        else:
            warn(f"left out: {dataset} {format_times(scale)}: not every method has a mean over the same images")
    return blocks


def _by_image(table: Table, values: CellValues, scale: Scale, warn: Warn) -> list[list[float]]:
    """The values of all methods, of every image that all of them have."""
    blocks, lost = [], 0
    for dataset in table.datasets:
        keys = [CellKey(dataset, scale, table.metrics[0].name, row.method, row.variant) for row in table.methods]
        cells = [values.of(key) for key in keys]
        for image in sorted(set().union(*cells)):
            own = [cell.get(image) for cell in cells]
            same = len({value.source for value in own if value is not None}) == 1
            if same and all(own):
                blocks.append([value.value for value in own if value is not None])
            else:
                lost += 1
    if lost:
        warn(f"left out: {counted(lost, 'image')} at {format_times(scale)} that not every method has a value of")
    return blocks
