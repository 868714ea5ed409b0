"""The matrix of a cross-scale metric: rows are output scales, columns the reference scales at whose size both outputs
are compared (as table II of CasArbi, arXiv 2506.07813, reads); one matrix per method and dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import pandas as pd

from bench.analysis.crossscale import without_reference
from bench.analysis.selection import Selection, select
from bench.analysis.signatures import check_one_protocol
from bench.api import SUMMARY_COLUMNS, MetricKind, MetricRef, RequestError, Scale, unknown_name
from bench.metrics.catalog import metric_info

MATRIX_COLUMNS = (*SUMMARY_COLUMNS, "reference")
"""Columns of `matrix_rows`: `scale` is that of the output, `metric` is "selfssim@8" at reference scale 8."""

_HOW = "repeat it with the same --out, two or more --scales and --metrics {}; stored images are not made again"


@dataclass(frozen=True)
class MatrixCell:
    """One comparison.

    Attributes:
        mean: Mean over seeds of the mean over images, as in every table; None where `n` < `expected` for any seed.
        n, expected: Images compared (the smallest of the seeds) and asked for; both 0 where nothing was to be compared.
        signature: How it was made; empty where nothing was.
        note: "", "37/100" or "unavailable: <reason>".
    """

    mean: float | None
    n: int = 0
    expected: int = 0
    signature: str = ""
    note: str = ""


DIAGONAL = MatrixCell(1.0)
"""An output against itself: 1 by definition, not measured."""
NOT_ASKED = MatrixCell(None)
"""A pair of scales that nobody asked the run for."""


@dataclass(frozen=True)
class ScaleMatrix:
    """One method variant on one dataset.

    Attributes:
        scales: Of the rows and of the columns, in the same order.
        cells: `cells[i][j]` compares the output at scales[i] with that at scales[j], at the size of the latter.
    """

    metric: str
    dataset: str
    method: str
    variant: str
    scales: tuple[Scale, ...]
    cells: tuple[tuple[MatrixCell, ...], ...]


def matrix_rows(
    summary: pd.DataFrame,
    metric: str,
    selection: Selection | None = None,
    *,
    protocols: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """The rows of a summary that make up the matrices: one per method, dataset and ordered pair of scales.

    A pair that was asked for and of which nothing is known has a row too, as 0/N; the diagonal has none.

    Args:
        summary: SUMMARY_COLUMNS.
        metric: A cross-scale metric without reference, such as "selfssim".
        selection: What to keep; its scales are those of rows and columns, and its metrics are not looked at.
        protocols: signature -> names of the protocols that give it.
    Returns:
        Frame with MATRIX_COLUMNS; methods and datasets in the order of the selection, else of the summary, and scales
        ascending.
    Raises:
        RequestError: the summary holds no comparison of that metric, the selection fits nothing or leaves a single
            scale, or the rows were made in more than one way.
    """
    selection, protocols = selection or Selection(), protocols or {}
    references = _references(summary, metric)
    own = summary.loc[summary["metric"].isin([metric, *references])]
    own = select(own, Selection(methods=selection.methods, datasets=selection.datasets, scales=selection.scales))
    own = own.assign(reference=[references.get(name, math.nan) for name in own["metric"]], metric=metric)
    if selection.scales:
        own = own.loc[own["reference"].isna() | own["reference"].isin(list(selection.scales))]
    pairs = own.loc[own["reference"].notna() & (own["reference"] != own["scale"])]
    if pairs.empty:
        raise RequestError(f"a matrix compares at least two scales; {metric} is left with one: name more with --scales")
    narrowing = replace(selection, methods=(), datasets=(), scales=(), metrics=())
    pairs = select(pairs, narrowing, protocols=protocols)
    check_one_protocol(pairs, protocols)
    if selection.protocol is not None or selection.signature:
        kept = {"", *map(without_reference, pairs["signature"])}
        own = own.loc[[without_reference(signature) in kept for signature in own["signature"]]]
    cells = _cells(own)
    found = {_key(row): row for row in pairs.to_dict("records")}
    rows: list[dict[Any, Any]] = []
    for (dataset, method, variant), asked in cells.items():
        for scale, reference in permutations(sorted(asked), 2):
            row = found.get((method, variant, dataset, scale, reference)) or {
                **asked[scale],
                "reference": reference,
                "mean": math.nan,
                "seed_sd": math.nan,
                "n": 0,
                "failed": 0,
                "signature": "",
                "note": f"0/{asked[scale]['expected']}",
            }
            rows.append({**row, "metric": str(MetricRef(metric, reference))})
    return pd.DataFrame(rows, columns=pd.Index(MATRIX_COLUMNS))


def scale_matrices(rows: pd.DataFrame) -> tuple[ScaleMatrix, ...]:
    """The matrices of some rows, per dataset in the order of the rows, then per method; scales ascending.

    All matrices of a dataset have the same scales; what one method was not asked for is NOT_ASKED.

    Args:
        rows: What `matrix_rows` made, or some of it.
    """
    matrices = []
    for dataset, of_dataset in rows.groupby("dataset", sort=False):
        scales = tuple(sorted({*of_dataset["scale"], *of_dataset["reference"]}))
        for _, own in of_dataset.groupby(["method", "variant"], sort=False):
            cells = {(row["scale"], row["reference"]): _cell(row) for row in own.to_dict("records")}
            cells |= {(scale, scale): DIAGONAL for scale in scales}
            matrices.append(
                ScaleMatrix(
                    metric=MetricRef.parse(str(own["metric"].iloc[0])).name,
                    dataset=str(dataset),
                    method=str(own["method"].iloc[0]),
                    variant=str(own["variant"].iloc[0]),
                    scales=scales,
                    cells=tuple(tuple(cells.get((a, b), NOT_ASKED) for b in scales) for a in scales),
                )
            )
    return tuple(matrices)


def _references(summary: pd.DataFrame, metric: str) -> dict[str, Scale]:
    """ "selfssim@8" -> 8.0 for the comparisons of this metric that the summary holds."""
    refs = {name: MetricRef.parse(name) for name in dict.fromkeys(summary["metric"])}
    crossed = {ref.name: None for ref in refs.values() if ref.reference is not None}
    if metric in crossed:
        return {name: ref.reference for name, ref in refs.items() if ref.name == metric and ref.reference is not None}
    if not crossed:
        raise RequestError(f"this run compares no scales, so there is no matrix of {metric}; {_HOW.format(metric)}")
    if metric in refs or _compares_scales(metric):
        seen = ", ".join(crossed)
        raise RequestError(f"this run has no matrix of {metric}, only of {seen}; {_HOW.format(metric)}")
    raise unknown_name("cross-scale metric of this run", metric, list(crossed), "bench metrics")


def _compares_scales(metric: str) -> bool:
    """Whether a cross-scale metric of this name is registered here."""
    try:
        return metric_info(metric).kind is MetricKind.CROSS_SCALE
    except RequestError:
        return False


def _cells(rows: pd.DataFrame) -> dict[tuple[str, str, str], dict[Scale, dict[Any, Any]]]:
    """(dataset, method, variant) -> output scale -> one of its rows, with the most images that any row expects."""
    found: dict[tuple[str, str, str], dict[Scale, dict[Any, Any]]] = {}
    for dataset in dict.fromkeys(rows["dataset"]):
        for row in rows.loc[rows["dataset"] == dataset].to_dict("records"):
            own = found.setdefault((dataset, row["method"], row["variant"]), {})
            before = own.get(row["scale"])
            if before is None or before["expected"] < row["expected"]:
                own[row["scale"]] = row
    return found


def _key(row: Mapping[Any, Any]) -> tuple[str, str, str, Scale, Scale]:
    return row["method"], row["variant"], row["dataset"], row["scale"], row["reference"]


def _cell(row: Mapping[Any, Any]) -> MatrixCell:
    mean = None if pd.isna(row["mean"]) else float(row["mean"])
    return MatrixCell(mean, int(row["n"]), int(row["expected"]), row["signature"], row["note"])
