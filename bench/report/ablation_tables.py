"""The table of an ablation: means with their difference from the default, and a paper's numbers in the same columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.analysis.ablation import AblationCell, AblationResult, PrintedValue, RowKey
from bench.analysis.significance import LEVEL, TEST_NAME, Verdict, fewest_images
from bench.api import MetricInfo, MetricRef, RowInfo, Scale, counted, format_times
from bench.report.comparison import metric_title, undecidable
from bench.report.directions import direction_notes
from bench.report.grid import Head
from bench.report.model import printed, signed
from bench.report.plain import PlainBlock, PlainTable

WIDTH = 80
"""Columns of a terminal that a table is split for."""
_CERTAIN = (Verdict.BETTER, Verdict.WORSE)
_GAP = 2


@dataclass(frozen=True, kw_only=True)
class AblationText:
    """What stands around the numbers.

    Attributes:
        title: Of the table.
        source: Where the paper's numbers are from; "" for none.
        reported: Row -> what a paper prints of it.
        absent: Rows that could not be run, as tables call them.
        absent_reported: What a paper prints of those.
        notes: Sentences below.
    """

    title: str
    source: str = ""
    reported: Mapping[RowKey, Sequence[PrintedValue]] = field(default_factory=dict)
    absent: Sequence[str] = ()
    absent_reported: Mapping[str, Sequence[PrintedValue]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def ablation_tables(result: AblationResult, text: AblationText, infos: Mapping[str, MetricInfo]) -> list[PlainTable]:
    """The table, in as many parts as a terminal's width asks for: each has some of the metrics.

    Args:
        result: The numbers.
        text: What stands around them.
        infos: metric -> decimals, direction and how it is called.
    """
    printed_metrics = [v.metric for values in _all_reported(text) for v in values]
    metrics = list(dict.fromkeys([*result.metrics, *printed_metrics]))
    parts: list[list[str]] = [[]]
    for metric in metrics:
        if parts[-1] and _width(_blocks(result, text, infos, [*parts[-1], metric])) > WIDTH:
            parts.append([])
        parts[-1].append(metric)
    records = ablation_records(result, text)
    tables = []
    for number, part in enumerate(parts, start=1):
        head, blocks = _blocks(result, text, infos, part)
        of = f" (part {number} of {len(parts)})" if len(parts) > 1 else ""
        last = number == len(parts)
        tables.append(
            PlainTable(
                label=_label(text.title, number),
                caption=f"{text.title}{of}. Δ: difference from '{result.default.display}'.",
                head=head,
                blocks=blocks,
                notes=_notes(result, text, infos) if last else (),
                records=records,
                facts={"title": text.title, "default": result.default.display, "test": TEST_NAME, "level": LEVEL},
            )
        )
    return tables


def _label(title: str, part: int) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return f"tab:ablation-{words}{f'-{part}' if part > 1 else ''}"


def ablation_records(result: AblationResult, text: AblationText) -> list[dict[str, Any]]:
    """A mapping per variant, dataset, scale and metric, with the paper's number at that scale beside it."""
    records = []
    for row in result.rows:
        for dataset, scale in result.places:
            for metric in result.metrics:
                cell = result.cells.get((row.key, (dataset, scale, metric)))
                if cell is not None:
                    paper = _paper(result, text, row, scale, metric)
                    records.append(_record(row, (dataset, scale, metric), cell, paper))
    return records


def _record(row: RowInfo, place: tuple[str, Scale, str], cell: AblationCell, paper: dict[str, Any]) -> dict[str, Any]:
    compared = cell.comparison
    found = compared.found if compared is not None else None
    return {
        "variant": row.display,
        "method": row.method,
        "dataset": place[0],
        "scale": place[1],
        "metric": place[2],
        "n": cell.n,
        "mean": cell.mean,
        "delta": cell.delta,
        "low": found.low if found is not None else None,
        "high": found.high if found is not None else None,
        "p": found.p if found is not None else None,
        "p_holm": compared.adjusted if compared is not None else None,
        "verdict": str(compared.verdict) if compared is not None else "",
        **paper,
        "note": cell.note,
        "signature": cell.signature,
    }


def _paper(result: AblationResult, text: AblationText, row: RowInfo, scale: Scale, metric: str) -> dict[str, Any]:
    """What a paper prints of this row and of the default, at this scale if it has it."""
    scales = {scale for _, scale in result.places}
    own = printed_at(text.reported.get(row.key, ()), scale, metric, scales)
    usual = printed_at(text.reported.get(result.default.key, ()), scale, metric, scales)
    delta = None
    if own is not None and usual is not None and row.key != result.default.key:
        delta = own.number - usual.number
    return {
        "reported": own.text if own is not None else "",
        "reported_delta": delta,
        "reported_on": own.dataset if own is not None else "",
        "reported_at": own.scale if own is not None else None,
    }


def printed_at(
    values: Sequence[PrintedValue], scale: Scale, metric: str, measured: Collection[Scale] = ()
) -> PrintedValue | None:
    """The printed value of a metric that is to be held beside a measured one.

    Args:
        values: Of one row.
        scale: Of the measured value; the printed one is of the same scale, or of one that is not stated.
        metric: Which.
        measured: All scales that were measured: a paper that prints one scale, and none of these, is held beside all.
    """
    own = [value for value in values if value.metric == metric]
    fitting = [value for value in own if value.scale in (scale, None)]
    if not fitting and len(own) == 1 and own[0].scale not in measured:
        return own[0]
    return fitting[0] if fitting else None


def _all_reported(text: AblationText) -> list[Sequence[PrintedValue]]:
    return [*text.reported.values(), *text.absent_reported.values()]


Layout = tuple[tuple[str, ...], list[PlainBlock]]


def _blocks(
    result: AblationResult, text: AblationText, infos: Mapping[str, MetricInfo], metrics: Sequence[str]
) -> Layout:
    """Headings and blocks: what was measured, each scale followed by what was reported at it."""
    measured = [_measured(result, text, infos, metrics, place) for place in result.places]
    papers = dict.fromkeys((v.scale, v.dataset) for values in _all_reported(text) for v in values)
    blocks: list[PlainBlock] = []
    scales = [scale for _, scale in result.places]
    for index, block in enumerate(measured):
        blocks += [block] if block is not None else []
        if scales[index] not in scales[index + 1 :]:
            at = [place for place in papers if place[0] == scales[index]]
            blocks += [made for place in at if (made := _reported(result, text, metrics, *place)) is not None]
    rest = [place for place in papers if place[0] not in scales]
    blocks += [made for place in rest if (made := _reported(result, text, metrics, *place)) is not None]
    head = [""]
    for metric in metrics:
        info = infos.get(metric)
        head += [Head(metric_title(metric, infos), direction=info.direction if info else None).plain, "Δ"]
    return tuple(head), blocks


def _measured(
    result: AblationResult,
    text: AblationText,
    infos: Mapping[str, MetricInfo],
    metrics: Sequence[str],
    place: tuple[str, Scale],
) -> PlainBlock | None:
    if not any((row.key, (*place, metric)) in result.cells for row in result.rows for metric in metrics):
        return None
    rows = []
    for row in result.rows:
        line = [row.display]
        for metric in metrics:
            line += _cell(result.cells.get((row.key, (*place, metric))), infos.get(metric))
        rows.append(line)
    rows += [[f"{label} (absent)", *["--"] * (2 * len(metrics))] for label in text.absent]
    counts = {cell.n for (_, where), cell in result.cells.items() if where[:2] == place and cell.mean is not None}
    images = f", {counted(max(counts), 'image')}" if counts else ""
    return PlainBlock(f"{place[0]} {format_times(place[1])}{images}", rows)


def _cell(cell: AblationCell | None, info: MetricInfo | None) -> list[str]:
    if cell is None:
        return ["--", ""]
    if cell.mean is None:
        return [cell.note.partition(":")[0] if cell.note[:1].isdigit() else "--", ""]
    digits = info.decimals if info is not None else 4
    if cell.delta is None:
        return [printed(cell.mean, digits), ""]
    certain = cell.comparison is not None and cell.comparison.verdict in _CERTAIN
    return [printed(cell.mean, digits), signed(cell.delta, digits) + ("*" if certain else "")]


def _reported(
    result: AblationResult, text: AblationText, metrics: Sequence[str], scale: Scale | None, dataset: str
) -> PlainBlock | None:
    """What the paper prints, with the differences that its own numbers have."""

    def at(values: Sequence[PrintedValue]) -> dict[str, PrintedValue]:
        return {v.metric: v for v in values if (v.scale, v.dataset) == (scale, dataset) and v.metric in metrics}

    usual = at(text.reported.get(result.default.key, ()))
    named = [(row.display, at(text.reported.get(row.key, ())), row.key == result.default.key) for row in result.rows]
    named += [(label, at(values), False) for label, values in text.absent_reported.items()]
    rows = []
    for label, own, is_default in named:
        line = [label]
        for metric in metrics:
            value, base = own.get(metric), usual.get(metric)
            delta = "" if is_default or value is None or base is None else printed_delta(value, base)
            line += [value.text if value is not None else "--", delta]
        if own:
            rows.append(line)
    where = f"{format_times(scale)}" if scale is not None else "scale not stated"
    return PlainBlock(f"reported: {dataset} {where}", rows) if rows else None


def printed_delta(value: PrintedValue, base: PrintedValue) -> str:
    """The difference of two printed numbers, with as many decimals as they have."""
    digits = max(len(text.partition(".")[2]) for text in (value.text, base.text))
    return signed(value.number - base.number, digits)


def _width(layout: Layout) -> int:
    head, blocks = layout
    rows = [head, *(row for block in blocks for row in block.rows)]
    return sum(max(len(row[i]) for row in rows) + _GAP for i in range(len(head))) - _GAP


def _notes(result: AblationResult, text: AblationText, infos: Mapping[str, MetricInfo]) -> list[str]:
    compared = [cell.comparison for cell in result.cells.values() if cell.comparison is not None]
    tested = sum(each.adjusted is not None for each in compared)
    notes = []
    if tested:
        effects = dict.fromkeys(f"{metric_title(c.metric, infos)} {c.effect:g}" for c in compared if c.effect)
        least = f" and a difference of at least {', '.join(effects)}" if effects else ""
        notes.append(
            f"*: better or worse than the default image by image: {TEST_NAME}, p ≤ {LEVEL:g} after Holm's correction "
            f"over the {tested} tested cells{least}. Values are averaged over seeds for each image first."
        )
        notes += undecidable(compared)
    if tested < len(compared):
        notes.append(
            f"Not tested, {len(compared) - tested} of {len(compared)} cells: below {fewest_images()} images no test "
            f"can reach p ≤ {LEVEL:g}, however clear."
        )
    if any(text.reported.values()) or text.absent_reported:
        notes.append(f"Reported: {text.source}. Other networks on other images: only directions compare.")
        notes += direction_notes(ablation_records(result, text), infos)
    reasons = dict.fromkeys(
        f"{metric_title(where[2], infos)}: {cell.note.removeprefix('unavailable: ')}"
        for (_, where), cell in result.cells.items()
        if cell.mean is None and ":" in cell.note
    )
    signatures = dict.fromkeys(
        f"{metric_title(MetricRef.parse(where[2]).name, infos)}: {cell.signature}"
        for (_, where), cell in result.cells.items()
        if cell.signature
    )
    return [*notes, *text.notes, *result.notes, *reasons, *signatures]
