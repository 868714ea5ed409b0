"""Published figures beside what was measured: one line per cell, and the page that tells of a whole reproduction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.api import Scale, format_times
from bench.report.escape import markdown

_DUST = 1e-9
"""So that a difference of exactly the tolerance is within it in binary too."""


@dataclass(frozen=True, kw_only=True)
class ReproducedCell:
    """One printed figure and its measurement.

    Attributes:
        row: What tables call the method.
        card: Name of the card that tells the figure.
        weights: The file and its publication; empty for a method without weights.
        protocol, dataset, scale, metric: The cell.
        source: The table that prints it.
        published: As printed; None where no printed value is known.
        measured: None where there is no mean.
        tolerance: Largest difference that counts as reproduced.
        decimals: Of the metric in tables; a measured value has one more.
        signature: Of the measured number; empty without one.
        note: Why there is no mean, in short, with more behind a colon; empty where there is.
        failed: There should have been a mean: images failed, or are missing of a run that was made.
    """

    row: str
    card: str
    weights: str
    protocol: str
    dataset: str
    scale: Scale
    metric: str
    source: str
    published: float | None
    measured: float | None
    tolerance: float
    decimals: int
    signature: str = ""
    note: str = ""
    failed: bool = False

    @property
    def delta(self) -> float | None:
        """measured - published."""
        return None if self.published is None or self.measured is None else self.measured - self.published

    @property
    def beyond(self) -> bool:
        """True where the difference is larger than the tolerance, or there is no number although there should be."""
        return self.failed or (self.delta is not None and not abs(self.delta) <= self.tolerance + _DUST)

    @property
    def verdict(self) -> str:
        """In words."""
        if self.measured is None:
            return f"{'failed' if self.failed else 'not measured'}: {self.note.partition(': ')[0]}"
        if self.published is None:
            return "no published value"
        return f"beyond ±{self.tolerance:g}" if self.beyond else f"within ±{self.tolerance:g}"

    def printed(self) -> tuple[str, str, str]:
        """(published, measured, difference), the last two with one digit more; "-" for what there is not."""
        digits = self.decimals
        return (
            "-" if self.published is None else f"{self.published:.{digits}f}",
            "-" if self.measured is None else f"{self.measured:.{digits + 1}f}",
            "-" if self.delta is None else f"{self.delta:+.{digits + 1}f}",
        )


def count_line(cells: Sequence[ReproducedCell]) -> str:
    """How many figures were reproduced, in one sentence."""
    compared = [cell for cell in cells if cell.delta is not None or cell.failed]
    beyond = sum(cell.beyond for cell in compared)
    parts = [f"{len(compared) - beyond} of {len(compared)} published figures reproduced"]
    bare = sum(cell.published is None and cell.measured is not None for cell in cells)
    away = sum(cell.measured is None and not cell.failed for cell in cells)
    parts += [f"{bare} measured that have no published value"] if bare else []
    parts += [f"{away} not measured"] if away else []
    return "; ".join(parts)


def reproduced_page(cells: Sequence[ReproducedCell], command: str) -> str:
    """The page, as Markdown.

    Args:
        cells: In the order in which they are to be shown; those of one card and protocol lie together.
        command: What made it.
    """
    lines = [
        "# Reproduced",
        "",
        "Published figures, and what this tool measures of the published weights under the protocol that they were "
        "printed for. The page is made by",
        "",
        "```",
        command,
        "```",
        "",
        f"{count_line(cells)}. A difference is the measured value minus the printed one, which is rounded: half a unit "
        "of its last digit says nothing.",
    ]
    for (row, protocol), group in groupby(cells, key=lambda cell: (cell.row, cell.protocol)):
        lines += ["", *_section(f"{row} under `{protocol}`", list(group))]
    return "\n".join(lines) + "\n"


def _section(title: str, cells: Sequence[ReproducedCell]) -> list[str]:
    lines = [f"## {title}", ""]
    lines += [f"Weights: {markdown(text)}." for text in dict.fromkeys(c.weights for c in cells) if text]
    sources = dict.fromkeys((cell.metric, cell.source) for cell in cells)
    lines += [f"Published {metric.upper()}: {markdown(source)}." for metric, source in sources]
    lines += ["", "| set | scale | metric | published | measured | difference | |"]
    lines += ["| :-- | --: | :-- | --: | --: | --: | :-- |"]
    for cell in cells:
        published, measured, delta = cell.printed()
        lines.append(
            f"| {markdown(cell.dataset)} | {format_times(cell.scale)} | {cell.metric.upper()} | {published} | "
            f"{measured} | {delta} | {markdown(cell.verdict)} |"
        )
    signatures: dict[str, dict[str, None]] = {}
    for cell in cells:
        if cell.signature:
            signatures.setdefault(cell.signature, {})[f"{format_times(cell.scale)}"] = None
    lines += [""] + [f"- `{text}` ({', '.join(scales)})" for text, scales in signatures.items()]
    return lines
