"""The table of a protocol diff: rows methods, columns protocols, each as its shift from the run's own numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.api import MetricInfo, Scale, format_times
from bench.report.model import printed
from bench.report.plain import PlainBlock, PlainTable

_Key = tuple[str, str, str, Scale, str]
"""(method, variant, dataset, scale, metric)."""
_KEY = ["method", "variant", "dataset", "scale", "metric"]


@dataclass(frozen=True, kw_only=True)
class ScoredColumn:
    """One protocol of the table.

    Attributes:
        protocol: Its name.
        summary: SUMMARY_COLUMNS; empty where it cannot be applied.
        other_pair: How it makes HR or LR otherwise, in words; "" where it does not.
        refusal: Why it cannot be applied; "" where it can.
    """

    protocol: str
    summary: pd.DataFrame
    other_pair: str = ""
    refusal: str = ""


def protocol_table(
    own: ScoredColumn,
    others: Sequence[ScoredColumn],
    displays: Mapping[tuple[str, str], str],
    infos: Mapping[str, MetricInfo],
) -> PlainTable:
    """The table: the run's own means, then what each protocol adds to them.

    Args:
        own: The run's protocol.
        others: The protocols, those that cannot be applied among them.
        displays: (method, variant) -> name.
        infos: metric -> decimals and how it is called.
    """
    base = _means(own.summary)
    applied = [column for column in others if not column.refusal]
    means = {column.protocol: _means(column.summary) for column in applied}
    places = dict.fromkeys((key[2], key[3], key[4]) for key in base)
    blocks, records = [], []
    for dataset, scale, metric in places:
        info = infos.get(metric)
        digits = info.decimals if info is not None else 4
        keys = [key for key in base if key[2:] == (dataset, scale, metric)]
        rows = []
        for key in keys:
            name = displays.get(key[:2], key[0])
            shifts = {p: _shift(base[key], found.get(key)) for p, found in means.items()}
            rows.append((name, _number(base[key], digits), *(_signed(shift, digits) for shift in shifts.values())))
            head = {"method": name, "dataset": dataset, "scale": scale, "metric": metric, own.protocol: base[key]}
            records.append({**head, **{f"{p} - {own.protocol}": shift for p, shift in shifts.items()}})
        display = info.display if info is not None else metric
        blocks.append(PlainBlock(f"{dataset} {format_times(scale)} {display}", rows))
    marks = {column.protocol: "*" if column.other_pair else "" for column in applied}
    return PlainTable(
        caption=f"Stored images under {own.protocol}, and what scoring them as other protocols do adds.",
        label="tab:protocol-diff",
        head=("method", own.protocol, *(f"{name}{mark}" for name, mark in marks.items())),
        blocks=blocks,
        notes=_notes(own, others),
        records=records,
        facts={"protocol": own.protocol, "signatures": {c.protocol: _signatures(c) for c in (own, *applied)}},
    )


def _notes(own: ScoredColumn, others: Sequence[ScoredColumn]) -> list[str]:
    notes = ["The images are those of the run: nothing was inferred again."]
    marked = [column for column in others if column.other_pair and not column.refusal]
    if marked:
        notes.append(
            "* makes HR or LR otherwise than the run did: only the scoring half of its shift is here. What its own LR "
            f"would do is not measurable on stored images; run with --protocol {marked[0].protocol} for that."
        )
        notes += [f"{column.protocol}: {column.other_pair}." for column in marked]
    notes += [f"{column.protocol} is left out: {column.refusal}." for column in others if column.refusal]
    for column in (own, *(c for c in others if not c.refusal)):
        notes += [f"{column.protocol}: {signature}" for signature in _signatures(column)]
    return notes


def _signatures(column: ScoredColumn) -> list[str]:
    return [signature for signature in dict.fromkeys(column.summary["signature"]) if signature]


def _means(summary: pd.DataFrame) -> dict[_Key, float]:
    return {
        tuple(row[name] for name in _KEY): float(row["mean"])  # type: ignore[misc]
        for row in summary.to_dict("records")
    }


def _shift(own: float, other: float | None) -> float:
    """NaN where one of the means is missing; two infinite ones have no difference."""
    if other is None:
        return math.nan
    return 0.0 if own == other else other - own


def _number(value: float, digits: int) -> str:
    return "--" if math.isnan(value) else printed(value, digits)


def _signed(value: float, digits: int) -> str:
    text = _number(value, digits)
    return text if text.startswith("-") or not text.strip("0.") else f"+{text}"
