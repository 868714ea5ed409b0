"""Which of a paper's directions an ablation shows: the sign of each printed difference against the measured ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.api import MetricInfo, counted, format_times
from bench.report.comparison import metric_title

_NAMED = 4
"""Cells that are named where the signs differ."""


def direction_notes(records: Sequence[Mapping[str, Any]], infos: Mapping[str, MetricInfo]) -> Iterator[str]:
    """One sentence per metric that was both printed and measured; a printed difference of 0 has no direction.

    Args:
        records: Of `ablation_records`.
        infos: metric -> how it is called.
    """
    for metric in dict.fromkeys(str(record["metric"]) for record in records):
        own = [record for record in records if record["metric"] == metric and _comparable(record)]
        if not own:
            continue
        other = [r for r in own if not same_direction(r)]
        where = [f"{r['variant']} on {r['dataset']} {format_times(r['scale'])}" for r in other]
        named = "; ".join(where[:_NAMED]) + (f"; and {len(where) - _NAMED} more" if len(where) > _NAMED else "")
        holds = f"{len(own) - len(other)} of {counted(len(own), 'cell')}"
        yield (
            f"{metric_title(metric, infos)} moves as reported{_elsewhere(own)} in {holds}"
            + (f" (not: {named})." if named else ".")
        )


def _elsewhere(records: Sequence[Mapping[str, Any]]) -> str:
    """The scale that the paper printed, where it is not the measured one."""
    at = {r["reported_at"] for r in records if r["reported_at"] not in (r["scale"], None)}
    return f" at {', '.join(f'{format_times(scale)}' for scale in sorted(at))}" if at else ""


def _comparable(record: Mapping[str, Any]) -> bool:
    """True where both are known and the paper prints a difference at all."""
    return record["delta"] is not None and bool(_sign(record["reported_delta"] or 0.0))


def same_direction(record: Mapping[str, Any]) -> bool:
    """True where the measured difference has the sign of the printed one."""
    return _sign(record["delta"]) == _sign(record["reported_delta"])


def _sign(value: float) -> int:
    return (value > 1e-9) - (value < -1e-9)
