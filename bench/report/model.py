"""A table before it is typeset: methods, datasets, scales, metrics, cells and everything that must stand under it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bench.analysis.signatures import SignatureLine
from bench.api import Direction, MetricRef, Scale


class Mark(StrEnum):
    """How a cell stands among the methods of its dataset, scale and metric."""

    NONE = ""
    BEST = "best"
    SECOND = "second"


@dataclass(frozen=True)
class MetricColumn:
    """A metric as the table shows it; without a direction (an unknown metric) it is not ranked."""

    name: str
    display: str
    direction: Direction | None
    decimals: int


@dataclass(frozen=True)
class MethodRow:
    """A method variant under the name that the table prints; `minimised` are metrics that its training's loss held."""

    method: str
    variant: str
    display: str
    minimised: tuple[str, ...] = ()

    def trained_by(self, metric: str) -> bool:
        """Whether its weights were trained by this metric, which then says nothing of it beside others."""
        return MetricRef.parse(metric).name in self.minimised


@dataclass(frozen=True)
class TableCell:
    """One printed value, or why there is none.

    Attributes:
        value: The mean; None for a missing or incomplete cell.
        text: The value as printed ("24.13", "∞"), "37/100" for an incomplete cell, empty for a missing one.
        sd: Between-seed sd as printed; empty for one seed.
        mark: Best or second; never set without a value.
        reason: Why the cell is missing or incomplete, where that is known; empty otherwise.
        expected: Images that the cell should have.
        seeds: Number of seeds.
        source: Id of the set of images.
        doubt: Why the value means little; empty where nothing is known against it.
    """

    value: float | None
    text: str
    sd: str = ""
    mark: Mark = Mark.NONE
    reason: str = ""
    expected: int = 0
    seeds: int = 1
    source: str = ""
    doubt: str = ""


NOT_HERE = TableCell(None, "", reason="not part of this run")
"""A combination that nobody asked the run for."""


@dataclass(frozen=True)
class CellKey:
    """Where a cell stands."""

    dataset: str
    scale: Scale
    metric: str
    method: str
    variant: str


@dataclass(frozen=True)
class ImageCount:
    """Number of images of a dataset; `scales` is empty where it is the same at every scale."""

    dataset: str
    scales: tuple[Scale, ...]
    images: int


@dataclass(frozen=True, kw_only=True)
class RowCost:
    """What a method variant costs on one dataset at one scale; None for what nobody recorded."""

    parameters: int | None = None
    seconds: float | None = None
    per_megapixel: float | None = None


@dataclass(frozen=True, kw_only=True)
class Published:
    """A printed number beside a measured one.

    Attributes:
        value: The number.
        text: As printed.
        decimals: Of the print.
        differs: In what the two are made differently, or may be; empty where the paper says nothing else.
    """

    value: float
    text: str
    decimals: int
    differs: str


@dataclass(frozen=True)
class Table:
    """The whole table; `part` returns a smaller one with the notes that still apply."""

    datasets: tuple[str, ...]
    scales: tuple[Scale, ...]
    metrics: tuple[MetricColumn, ...]
    methods: tuple[MethodRow, ...]
    cells: Mapping[CellKey, TableCell]
    protocol: str
    images: tuple[ImageCount, ...]
    signatures: tuple[SignatureLine, ...]
    notes: tuple[str, ...]
    caption: str = ""
    label: str = ""
    row_notes: tuple[str, ...] = ()
    """Those of `notes` that are of rows, whatever their numbers are of."""
    costs: Mapping[tuple[str, Scale, MethodRow], RowCost] = field(default_factory=dict)
    """(dataset, scale, row) -> its cost; filled for the layouts that show it."""
    by_image: Mapping[CellKey, Mapping[str, float]] = field(default_factory=dict)
    """Cell -> image -> value; filled for the layout that shows it."""
    published: Mapping[tuple[str, CellKey], Published] = field(default_factory=dict)
    """(printed table, cell) -> its number there; filled for the layout that shows it."""

    def cell(self, dataset: str, scale: Scale, metric: str, row: MethodRow) -> TableCell:
        """The cell, NOT_HERE where the run holds nothing of it."""
        return self.cells.get(CellKey(dataset, scale, metric, row.method, row.variant), NOT_HERE)

    def part(
        self,
        *,
        datasets: Iterable[str] | None = None,
        scales: Iterable[Scale] | None = None,
        metrics: Iterable[MetricColumn] | None = None,
    ) -> Table:
        """The same table restricted to some datasets, scales or metrics; marks stay as they are."""
        kept_sets = self.datasets if datasets is None else tuple(datasets)
        kept_scales = self.scales if scales is None else tuple(scales)
        kept_metrics = self.metrics if metrics is None else tuple(metrics)
        names = {metric.name for metric in kept_metrics}
        return replace(
            self,
            datasets=kept_sets,
            scales=kept_scales,
            metrics=kept_metrics,
            images=tuple(
                count
                for count in self.images
                if count.dataset in kept_sets and (not count.scales or set(count.scales) & set(kept_scales))
            ),
            signatures=tuple(
                line
                for line in self.signatures
                if line.metric in names
                and (not line.scales or set(line.scales) & set(kept_scales))
                and (not line.datasets or set(line.datasets) & set(kept_sets))
            ),
        )


def printed(value: float, decimals: int) -> str:
    """A number as tables print it: fixed decimals, "∞" for inf, no negative zero."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.{decimals}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def signed(value: float, decimals: int) -> str:
    """A difference as tables print it: with its sign, without one where it prints as zero.

    >>> signed(0.126, 2), signed(-0.126, 2), signed(-0.001, 2)
    ('+0.13', '-0.13', '0.00')
    """
    text = printed(value, decimals)
    return text if text.startswith(("-", "n")) or not text.strip("0.") else f"+{text}"


def mark_printed(texts: Mapping[MethodRow, str], direction: Direction | None) -> dict[MethodRow, Mark]:
    """Best and second among printed values; equal prints share a mark, and a lone value gets none.

    Args:
        texts: The printed values of the complete cells of one dataset, scale and metric.
        direction: Which way is better; None ranks nothing.
    """
    if direction is None or len(texts) < 2:
        return dict.fromkeys(texts, Mark.NONE)
    number = {row: float(text.replace("∞", "inf")) for row, text in texts.items()}
    order = sorted(set(number.values()), reverse=direction is Direction.HIGHER)
    marks = dict(zip(order, (Mark.BEST, Mark.SECOND), strict=False))
    return {row: marks.get(value, Mark.NONE) for row, value in number.items()}
