"""Marks by significance: methods that no paired test tells from the best share its mark, and the table says so."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from bench.analysis import RunFrames
from bench.analysis.pairing import ImageValue, ImageValues, cannot_pair
from bench.analysis.significance import LEVEL, TEST_NAME, fewest_images
from bench.analysis.ties import tied_with_best
from bench.api import Direction
from bench.report.model import CellKey, Mark, MethodRow, MetricColumn, Table

_TESTED = (
    f"Bold: the best mean and all that do not differ from it ({TEST_NAME}, p > {LEVEL:g} after Holm's correction "
    "within each column)."
)
_UNTESTED = "Marked by the printed means alone, because {}: {}."
_FEW = f"fewer than {fewest_images()} images decide nothing"
_NO_IMAGES = "there are no values of single images"

_Column = dict[MethodRow, CellKey]
"""The complete cells of one dataset, scale and metric."""


def with_ties(table: Table, rows: pd.DataFrame, frames: RunFrames) -> Table:
    """The table with the marks of statistical ties, and the notes that go with them.

    Args:
        table: Marked by its printed means.
        rows: The summary rows that it was made of.
        frames: The run.
    Raises:
        RequestError: images of one name were made from different files.
    """
    values = CellValues(rows, frames)
    cells, tested = dict(table.cells), False
    untested: dict[str, dict[str, None]] = {_FEW: {}, _NO_IMAGES: {}}
    for metric in table.metrics:
        for dataset, scale in ((dataset, scale) for dataset in table.datasets for scale in table.scales):
            judged = [row for row in table.methods if not row.trained_by(metric.name)]
            keys = {row: CellKey(dataset, scale, metric.name, row.method, row.variant) for row in judged}
            column = {row: key for row, key in keys.items() if key in cells and cells[key].value is not None}
            best = _best(table, column, metric)
            if best is None or metric.direction is None:
                continue
            own = {row: values.of(key) for row, key in column.items()}
            if not all(own.values()):
                untested[_NO_IMAGES][metric.display] = None
                continue
            others = {row: found for row, found in own.items() if row != best}
            tied = tied_with_best(own[best], others, metric.direction, dataset=dataset, scale=scale)
            if tied is None:
                untested[_FEW][dataset] = None
                continue
            tested = True
            for row, mark in _marks(table, column, {best, *tied}, metric).items():
                cells[column[row]] = replace(cells[column[row]], mark=mark)
    notes = [_UNTESTED.format(reason, ", ".join(names)) for reason, names in untested.items() if names]
    return replace(table, cells=cells, notes=(*table.notes, *([_TESTED] if tested else []), *notes))


class CellValues:
    """Values image by image of the cells of a table."""

    def __init__(self, rows: pd.DataFrame, frames: RunFrames) -> None:
        self._images = ImageValues.of(frames)
        self._signatures = {
            CellKey(row["dataset"], row["scale"], row["metric"], row["method"], row["variant"]): str(row["signature"])
            for row in rows.loc[rows["mean"].notna()].to_dict("records")
        }

    def __contains__(self, key: CellKey) -> bool:
        """Whether a cell is complete."""
        return key in self._signatures

    def of(self, key: CellKey) -> dict[str, ImageValue]:
        """image -> value; empty where the number is not a mean over images."""
        signature = self._signatures[key]
        if cannot_pair(signature):
            return {}
        return self._images.cell((key.method, key.variant, key.dataset, key.scale, key.metric, signature))


def _best(table: Table, column: _Column, metric: MetricColumn) -> MethodRow | None:
    """The best by its mean; None where the column is not ranked."""
    means = {row: table.cells[key].value or 0.0 for row, key in column.items() if table.cells[key].mark is Mark.BEST}
    return _first(means, metric) if means else None


def _marks(table: Table, column: _Column, best: set[MethodRow], metric: MetricColumn) -> dict[MethodRow, Mark]:
    """Best for the tied ones, second for the best print among the others."""
    prints = {row: float(table.cells[key].text.replace("∞", "inf")) for row, key in column.items() if row not in best}
    second = prints[_first(prints, metric)] if prints else None
    others = {row: Mark.SECOND if value == second else Mark.NONE for row, value in prints.items()}
    return {**dict.fromkeys(best, Mark.BEST), **others}


def _first(values: dict[MethodRow, float], metric: MetricColumn) -> MethodRow:
    lower = metric.direction is Direction.LOWER
    return min(values, key=values.__getitem__) if lower else max(values, key=values.__getitem__)
