"""Figures of a finished run: the options that they share, and the rows and numbers that a table of them would hold."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.api import PLAIN, MetricRef, RequestError, Scale, Signature, UnitStatus, unknown_name
from bench.api.lists import renamed
from bench.figures import options as opt
from bench.figures.contract import FigureRequest

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis import RunFrames
    from bench.report.model import MethodRow, MetricColumn, Table, TableCell


@dataclass(frozen=True, kw_only=True)
class RunFigure(FigureRequest, ABC):
    """A figure of one or more run folders."""

    run_folders: opt.RunFolders
    out: opt.Out
    methods: opt.OnlyMethods = ""
    variant: opt.OnlyVariants = None
    datasets: opt.OnlyDatasets = ""
    scales: opt.OnlyScales = ""
    protocol: opt.OnlyProtocol = None
    signature: opt.OnlySignature = ""
    rename: opt.Rename = None

    def chosen(self, metrics: Sequence[str] = ()) -> Chosen:
        """What the options leave of the run.

        Args:
            metrics: Only these, in this order; empty: all of the run.
        Raises:
            RequestError: no run folder, a name that it does not hold, or rows that no table would hold together.
        """
        from bench.analysis import Selection, load_run, select
        from bench.metrics.catalog import known_infos
        from bench.report.build import build_table, untrained

        frames = load_run(*self.run_folders).renamed(renamed(self.rename or ()))
        held = list(dict.fromkeys(frames.summary["metric"]))
        for name in metrics:
            if name not in held:
                _refuse_metric(name, held)
        selection = Selection.typed(
            methods=self.methods,
            variants=self.variant,
            datasets=self.datasets,
            scales=self.scales,
            metrics=metrics,
            protocol=self.protocol,
            signature=self.signature,
        )
        rows = select(frames.summary, selection, protocols=frames.protocols)
        table = build_table(rows, known_infos(rows["metric"]), frames=frames, protocol=self.protocol)
        return Chosen(frames=frames, rows=rows.loc[~untrained(rows, frames)], table=table)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Rows of a run that may stand in one table, and the table itself.

    Attributes:
        frames: The run.
        rows: SUMMARY_COLUMNS, without untrained variants.
        table: Names, means and what stands under them.
    """

    frames: RunFrames
    rows: pd.DataFrame
    table: Table

    @property
    def one_dataset(self) -> str:
        """The dataset, where there is one.

        Raises:
            RequestError: there are several.
        """
        if len(self.table.datasets) > 1:
            shown = ", ".join(self.table.datasets)
            raise RequestError(f"this figure is of one dataset, the run holds {shown}; choose with --datasets NAME")
        return next(iter(self.table.datasets))

    @cached_property
    def records(self) -> pd.DataFrame:
        """RECORD_COLUMNS of all numbers behind the rows, those over reference scales included."""
        import pandas as pd

        from bench.analysis.crossscale import over_references

        everything = self.frames.records
        crossed = over_references(everything)
        joined = pd.concat([everything, crossed], ignore_index=True) if len(crossed) else everything
        good = joined.loc[(joined["unit_status"] == UnitStatus.OK) & joined["value"].notna()]
        return good.drop_duplicates([*_CELL, "image", "seed"], keep="last")

    def images(
        self, dataset: str, scale: Scale, metric: str, row: MethodRow, seed: int | None = None
    ) -> dict[str, float]:
        """Image -> value of a metric, averaged over seeds or of one of them; empty where there is none."""
        found = _at(self.records, dataset, scale, metric, row)
        found = found.loc[found["signature"].isin(self.signatures(dataset, scale, metric, row))]
        if seed is not None:
            found = found.loc[found["seed"] == seed]
        return {str(image): float(value) for image, value in found.groupby("image")["value"].mean().items()}

    def signatures(self, dataset: str, scale: Scale, metric: str, row: MethodRow) -> list[str]:
        """How the numbers of a cell were made; empty where there are none."""
        return [s for s in dict.fromkeys(_at(self.rows, dataset, scale, metric, row)["signature"]) if s]

    def plain_mean(self, dataset: str, scale: Scale, metric: str, row: MethodRow) -> bool:
        """Whether the mean of a cell is the plain one of its images."""
        signatures = self.signatures(dataset, scale, metric, row)
        return all(Signature.parse(s).averaging.aggregation == PLAIN for s in signatures)

    def per_image(self) -> list[MetricColumn]:
        """The metrics that have a value for each image, in their order."""
        of_images = self.records.loc[self.records["image"] != "*"]
        return [metric for metric in self.table.metrics if (of_images["metric"] == metric.name).any()]


_CELL = ["method", "variant", "dataset", "scale", "metric", "signature"]


def _at(frame: pd.DataFrame, dataset: str, scale: Scale, metric: str, row: MethodRow) -> pd.DataFrame:
    """The lines of one cell."""
    here = (frame["dataset"] == dataset) & (frame["scale"] == scale) & (frame["metric"] == metric)
    return frame.loc[here & (frame["method"] == row.method) & (frame["variant"] == row.variant)]


def why_missing(cell: TableCell) -> str:
    """Why a cell has no mean, in a few words."""
    return cell.text or cell.reason.partition("; ")[0]


def protocol_sentences(table: Table) -> list[str]:
    """What stands under every figure of a run: protocol, images, how the numbers were made, and cautions."""
    from bench.analysis.signatures import format_scales

    counts = [
        f"{count.dataset} {count.images}" + (f" ({format_scales(count.scales)})" if count.scales else "")
        for count in table.images
    ]
    first = f"Protocol: {table.protocol}. " if table.protocol else ""
    displays = {metric.name: metric.display for metric in table.metrics}
    signed = []
    for line in table.signatures:
        where = ", ".join([*line.datasets, *([format_scales(line.scales)] if line.scales else [])])
        signed.append(f"{displays[line.metric]}{f' ({where})' if where else ''}: {line.signature}")
    return [f"{first}Number of images: {', '.join(counts)}.", *signed, *table.notes]


def _refuse_metric(name: str, held: Sequence[str]) -> None:
    from bench.metrics.catalog import metric_info

    seen = ", ".join(metric for metric in held if MetricRef.parse(metric).reference is None)
    try:
        metric_info(MetricRef.parse(name).name)
    except RequestError:
        raise unknown_name("metric of this run", name, list(held), "bench table RUN_FOLDER") from None
    raise RequestError(
        f"this run holds no {name}, only {seen}; repeat its command with the same --out and --metrics …,{name}: "
        "stored images are not made again"
    )
