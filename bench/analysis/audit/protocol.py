"""Numbers that were not made alike, and first places that the images do not settle."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from bench.analysis.audit.evidence import Evidence, Number, best_of, grouped, place
from bench.analysis.audit.finding import Severity, Told, check
from bench.analysis.significance import student_half_width
from bench.api import Scale, Signature
from bench.api.signature import ABSENT

_FEW = 8
"""Images below which an interval says little."""


@check(
    "mixed-signatures",
    "values of one column that were made in two ways",
    "The protocol alone moves PSNR by more than methods differ, so such values cannot be ranked.",
)
def mixed_signatures(evidence: Evidence) -> Told:
    """Rows of one table, dataset and metric whose signatures differ at one scale, or in more than scales may."""
    for (table, dataset, metric), numbers in grouped(
        evidence.present, lambda n: (n.table, n.dataset, n.metric)
    ).items():
        mixed: dict[tuple[str, str], dict[str, None]] = {}
        for cell in grouped(numbers, lambda n: n.scale).values():
            first = cell[0]
            for other in cell[1:]:
                if other.signature != first.signature:
                    pair = tuple(sorted((first.signature, other.signature)))
                    mixed.setdefault((pair[0], pair[1]), {})[first.at] = None
        for (one, two), scales in mixed.items():
            differing = Signature.parse(one).differences(Signature.parse(two))
            tokens = ", ".join(
                f"{d.second if d.first == ABSENT else d.first} or not" if d.one_sided else f"{d.first} or {d.second}"
                for d in differing
            )
            lines = tuple(
                f"{signature or 'no signature'}: {', '.join(_rows_of(numbers, signature))}" for signature in (one, two)
            )
            where = place(table, dataset, metric, ", ".join(scales))
            yield Severity.WARNING, where, f"one column holds values of two signatures ({tokens})", lines


@check(
    "no-value",
    "cells without a value",
    "What is missing cannot be ranked, and a table that leaves it out looks complete.",
)
def no_value(evidence: Evidence) -> Told:
    """Cells that have no value, with what is said of them."""
    empty = [number for number in evidence.numbers if math.isnan(number.value)]
    for (table, note), numbers in grouped(empty, lambda n: (n.table, n.note)).items():
        rows = dict.fromkeys(f"{n.label}: {n.dataset} {n.at} {n.metric}" for n in numbers)
        lines, more = list(rows)[:3], len(rows) - 3
        message = f"{len(rows)} cell{'s' * (len(rows) > 1)} without a value: {note or 'nobody says why'}"
        yield Severity.NOTE, table, message, (*lines, *([f"and {more} more"] if more > 0 else []))


@check(
    "unsettled-first",
    "a first place within the confidence interval",
    "With other images of the same kind the order could be the other way round.",
)
def unsettled_first(evidence: Evidence) -> Told:
    """The paired difference of best and second over the images, with its 95 % interval (Student)."""
    cells: dict[tuple[str, Scale, str], dict[tuple[str, str], Mapping[str, float]]] = {}
    for (method, variant, dataset, scale, metric), images in evidence.per_image.items():
        cells.setdefault((dataset, scale, metric), {})[method, variant] = images
    for (dataset, scale, metric), cell in grouped(
        [n for n in evidence.present if n.direction and n.scale], lambda n: (n.dataset, n.scale or 0.0, n.metric)
    ).items():
        images = cells.get((dataset, scale, metric), {})
        ranked = [n for n in best_of(cell) if (n.method, n.variant) in images and math.isfinite(n.value)]
        if len(ranked) < 2 or len({n.signature for n in ranked}) > 1:
            continue
        first, second = ranked[:2]
        interval = _interval(images[first.method, first.variant], images[second.method, second.variant])
        if interval is None:
            continue
        low, high, count = interval
        if low <= 0 <= high:
            line = f"{first.label} {first.shown}, {second.label} {second.shown}: difference {(low + high) / 2:+.4f}, "
            line += f"interval {low:+.4f} to {high:+.4f} over {count} images"
            few = f"; {count} images are too few" if count < _FEW else ""
            message = f"{first.label} leads {second.label} by less than chance{few}"
            yield Severity.NOTE, place(dataset, first.at, metric), message, (line,)


def _interval(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[float, float, int] | None:
    """The interval of the mean difference over the images that both have, and their number."""
    differences = np.array([first[image] - second[image] for image in first if image in second], dtype=float)
    count = len(differences)
    if count < 2 or not np.isfinite(differences).all():
        return None
    half = student_half_width(float(differences.std(ddof=1)), count)
    mean = float(differences.mean())
    return mean - half, mean + half, count


def _rows_of(numbers: list[Number], signature: str) -> list[str]:
    return list(dict.fromkeys(n.label for n in numbers if n.signature == signature))
