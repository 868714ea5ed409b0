"""The table of a comparison: difference, interval, p and wins per cell, and what stands below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis.comparison import CellComparison, Comparison
from bench.analysis.significance import LEVEL, RESAMPLES, TEST_NAME, Verdict, fewest_images, smallest_p
from bench.api import MetricInfo, MetricRef, counted, format_times
from bench.report.model import signed
from bench.report.plain import PlainBlock, PlainTable

_HEAD = ("", "metric", "n", "A − B", f"{100 * (1 - LEVEL):.0f} % interval", "p Holm", "+/−/=", "A is")


def comparison_table(found: Comparison, infos: Mapping[str, MetricInfo]) -> PlainTable:
    """The table, in the order of the cells.

    Args:
        found: What `compare_rows` gave.
        infos: metric -> decimals and how it is called.
    """
    datasets = list(dict.fromkeys(cell.dataset for cell in found.cells))
    blocks = [
        PlainBlock(name, [_row(cell, infos) for cell in found.cells if cell.dataset == name]) for name in datasets
    ]
    return PlainTable(
        caption=f"A: {found.a}. B: {found.b}.",
        label="tab:comparison",
        head=_HEAD,
        blocks=blocks,
        left=2,
        notes=_notes(found, infos),
        records=[_record(cell) for cell in found.cells],
        facts={"a": found.a, "b": found.b, "test": TEST_NAME, "correction": "Holm", "level": LEVEL},
    )


def _row(cell: CellComparison, infos: Mapping[str, MetricInfo]) -> tuple[str, ...]:
    known, digits = cell.found, _digits(cell.metric, infos)
    interval = f"[{signed(known.low, digits)},{signed(known.high, digits)}]"
    return (
        f"{format_times(cell.scale)}",
        metric_title(cell.metric, infos),
        str(known.n),
        signed(known.mean, digits),
        interval if known.n > 1 else "--",
        "--" if cell.adjusted is None else f"{cell.adjusted:.4f}",
        f"{known.wins}/{known.losses}/{known.ties}",
        str(cell.verdict),
    )


def _notes(found: Comparison, infos: Mapping[str, MetricInfo]) -> list[str]:
    cells = found.cells
    effects = dict.fromkeys(f"{metric_title(c.metric, infos)} {c.effect:g}" for c in cells if c.effect)
    free = dict.fromkeys(metric_title(c.metric, infos) for c in cells if not c.effect)
    tested = sum(cell.adjusted is not None for cell in cells)
    notes = [
        f"Values are averaged over seeds for each image first, then paired over images. Interval: bootstrap (BCa) "
        f"of the mean difference. p: {TEST_NAME}, Holm's correction over the {tested} tested cells, {RESAMPLES:,} "
        "resamples. +/−/=: images on which A is better, worse, equal."
    ]
    if effects:
        notes.append(
            f"Better, worse: p ≤ {LEVEL:g} and a mean difference of at least {', '.join(effects)} (the smallest worth "
            "having, --effect); anything else is indeterminate."
        )
    if free:
        notes.append(f"No smallest difference worth having is known for {', '.join(free)}: p alone decides (--effect).")
    if any(cell.verdict is Verdict.TOO_FEW for cell in cells):
        notes.append(f"Too few images: below {fewest_images()} no such test can reach p ≤ {LEVEL:g}, however clear.")
    notes += undecidable(cells)
    infinite = sum(c.found.wins + c.found.losses + c.found.ties - c.found.n for c in cells)
    if infinite:
        notes.append(f"{infinite} infinite values (exact results) count as won, lost or equal, and in no mean.")
    notes += [_extremes(cell, infos) for cell in cells if cell.best or cell.worst]
    signatures = dict.fromkeys((metric_title(cell.metric, infos), cell.signature) for cell in cells)
    return [*notes, *found.notes, *(f"{metric}: {signature}" for metric, signature in signatures)]


def undecidable(cells: Sequence[CellComparison]) -> list[str]:
    """A sentence where Holm's correction over as many cells leaves no p of this test at or below the level."""
    tested = [cell.found.n for cell in cells if cell.adjusted is not None]
    if not tested or len(tested) * smallest_p(max(tested)) <= LEVEL:
        return []
    return [
        f"No difference can be certain here: {counted(len(tested), 'cell')} on {counted(max(tested), 'image')}; take "
        "more images, or fewer cells."
    ]


def _extremes(cell: CellComparison, infos: Mapping[str, MetricInfo]) -> str:
    digits = _digits(cell.metric, infos)
    parts = [
        f"{word} {', '.join(f'{image} ({signed(gain, digits)})' for image, gain in images)}"
        for word, images in (("A gains most on", cell.best), ("loses most on", cell.worst))
        if images
    ]
    text = "; ".join(parts)
    text = text if cell.best else f"A {text}"
    return f"{cell.dataset} {format_times(cell.scale)} {metric_title(cell.metric, infos)}: {text}."


def _record(cell: CellComparison) -> dict[str, Any]:
    values = asdict(cell)
    found = values.pop("found")
    found["difference"] = found.pop("mean")
    best, worst = values.pop("best"), values.pop("worst")
    named = {"best": [image for image, _ in best], "worst": [image for image, _ in worst]}
    head = {key: values[key] for key in ("dataset", "scale", "metric", "mean_a", "mean_b")}
    tail = {"p_holm": cell.adjusted, "effect": cell.effect, "verdict": str(cell.verdict)}
    return {**head, **found, **tail, **{k: " ".join(v) for k, v in named.items()}, "signature": cell.signature}


def metric_title(metric: str, infos: Mapping[str, MetricInfo]) -> str:
    """The metric as tables print it, with its reference scale."""
    ref = MetricRef.parse(metric)
    info = infos.get(ref.name)
    return metric if info is None else str(MetricRef(info.display, ref.reference))


def _digits(metric: str, infos: Mapping[str, MetricInfo]) -> int:
    """One more than means have, for differences are small; at most four."""
    info = infos.get(MetricRef.parse(metric).name)
    return 4 if info is None else min(info.decimals + 1, 4)
