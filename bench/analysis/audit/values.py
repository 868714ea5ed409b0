"""Values that cannot be, columns that were exchanged, and metrics that contradict each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

from bench.analysis.audit.evidence import Evidence, Number, grouped, place
from bench.analysis.audit.finding import Severity, Told, check

RANGES: Mapping[str, tuple[float, float]] = {
    "psnr": (5.0, math.inf),
    "lr_psnr": (5.0, math.inf),
    "ssim": (-1.0, 1.0),
    "selfssim": (-1.0, 1.0),
    "lpips": (0.0, 1.5),
    "lpips_vgg": (0.0, 1.5),
    "lpips_squeeze": (0.0, 1.5),
    "dists": (0.0, 1.0),
    "musiq": (0.0, 100.0),
    "maniqa": (0.0, 1.2),
    "clipiqa": (0.0, 1.0),
    "improvement": (0.0, 1.0),
    "omission": (0.0, 1.0),
    "hallucination": (0.0, 1.0),
    "niqe": (0.0, 100.0),
    "nrqm": (0.0, 10.0),
    "pi": (0.0, 55.0),
    "fid": (0.0, math.inf),
    "seconds": (0.0, math.inf),
}
"""Metric -> what a mean over images can be: by definition where that bounds it; for PSNR and LPIPS what no two pictures
of one scene go beyond."""
_ROUNDING = 5e-5
"""How far arithmetic may leave a range: DISTS, LPIPS and FID of equal images are not quite 0, SSIM not quite 1."""
_OTHERS = 3
"""Methods that must agree before the odd one is called exchanged."""
_LOW_MA = 1.0
"""Implied Ma score below which PI and NIQE hardly are of the same images; the least that tables of this field hold is
about 1.4, for images interpolated ×30."""


def fits(metric: str, value: float) -> bool:
    """Whether a mean of this metric can be this value; any, for a metric of unknown range."""
    low, high = RANGES.get(metric, (-math.inf, math.inf))
    return low - _ROUNDING <= value <= high + _ROUNDING


@check(
    "out-of-range",
    "values that the metric cannot have",
    "Such a cell is of another column, another unit or a failed computation, and every mean over it is wrong.",
)
def out_of_range(evidence: Evidence) -> Told:
    """Values outside of RANGES."""
    for number in evidence.present:
        if not fits(number.ref.name, number.value):
            low, high = RANGES[number.ref.name]
            bounds = f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
            where = place(number.table, number.dataset, number.at, number.label)
            yield Severity.ERROR, where, f"{number.metric} is {number.shown}; it can be {bounds}", ()


@check(
    "swapped-columns",
    "two metrics of a row that stand in each other's column",
    "The values are there but under the wrong heading; rankings of both columns are wrong.",
)
def swapped_columns(evidence: Evidence) -> Told:
    """Two metrics that are out of range where they stand, and in range where the other stands."""
    for _, row in grouped(evidence.present, lambda n: (n.table, n.dataset, n.scale, n.row)).items():
        for a, b in combinations(row, 2):
            here = fits(a.ref.name, a.value) or fits(b.ref.name, b.value)
            there = fits(a.ref.name, b.value) and fits(b.ref.name, a.value)
            if not here and there:
                lines = (f"{a.metric}: {a.shown}", f"{b.metric}: {b.shown}")
                where = place(a.table, a.dataset, a.at, a.label)
                yield Severity.ERROR, where, f"{a.metric} and {b.metric} are exchanged", lines


@check(
    "swapped-datasets",
    "two datasets of a row that stand in each other's place",
    "How far apart two sets are hardly depends on the method; a row that turns it round was typed in the wrong order.",
)
def swapped_datasets(evidence: Evidence) -> Told:
    """Rows whose difference between two sets is opposite to everybody else's, and among them once exchanged."""
    for (table, _), numbers in grouped(evidence.present, lambda n: (n.table, n.scale)).items():
        rows = [
            {(n.dataset, n.metric): n for n in own if n.ref.reference is None}
            for own in grouped(numbers, lambda n: n.row).values()
        ]
        datasets = dict.fromkeys(n.dataset for n in numbers)
        for a, b in combinations(datasets, 2):
            metrics = [m for m in dict.fromkeys(n.metric for n in numbers) if _everywhere(rows, a, b, m)]
            for row in rows:
                others = [other for other in rows if other is not row]
                if metrics and len(others) >= _OTHERS and all(_turned(row, others, a, b, m) for m in metrics):
                    one = row[a, metrics[0]]
                    lines = tuple(f"{m}: {a} {row[a, m].shown}, {b} {row[b, m].shown}" for m in metrics)
                    where = place(table, one.at, one.label)
                    message = f"{a} and {b} are exchanged: all {len(others)} other rows have it the other way round"
                    yield Severity.ERROR, where, message, lines


def _everywhere(rows: list[dict[tuple[str, str], Number]], a: str, b: str, metric: str) -> bool:
    return all((a, metric) in row and (b, metric) in row for row in rows)


def _turned(row: dict, others: list[dict], a: str, b: str, metric: str) -> bool:
    """Whether the row's difference is minus a difference that the others could have."""
    gaps = [other[a, metric].value - other[b, metric].value for other in others]
    gap = row[a, metric].value - row[b, metric].value
    one_way = all(g > 0 for g in gaps) or all(g < 0 for g in gaps)
    return one_way and min(gaps) <= -gap <= max(gaps)


@check(
    "pi-niqe",
    "PI that its NIQE does not allow",
    "PI = ((10 − Ma) + NIQE) / 2 with Ma from 0 to 10; means obey that too if they are over the same images.",
)
def pi_against_niqe(evidence: Evidence) -> Told:
    """The Ma score that follows from PI and NIQE: impossible outside 0 to 10, doubtful below 1."""
    doubtful: dict[tuple[str, str, str], list[tuple[Number, str]]] = {}
    for row in grouped(evidence.present, lambda n: (n.table, n.dataset, n.scale, n.row)).values():
        by_metric = {n.metric: n for n in row}
        if not {"pi", "niqe"} <= by_metric.keys():
            continue
        pi, niqe = by_metric["pi"], by_metric["niqe"]
        ma = 10 + niqe.value - 2 * pi.value
        line = f"{pi.at}: NIQE {niqe.shown}, PI {pi.shown}, so Ma {ma:.2f}"
        if not -0.02 <= ma <= 10.02:  # both are rounded to 0.01 in print
            where = place(pi.table, pi.dataset, pi.at, pi.label)
            yield Severity.ERROR, where, "no Ma score from 0 to 10 gives this PI with this NIQE", (line,)
        elif ma < _LOW_MA:
            doubtful.setdefault((pi.table, pi.dataset, pi.label), []).append((pi, line))
    for (table, dataset, label), rows in doubtful.items():
        message = f"PI and NIQE imply a Ma score below {_LOW_MA:g} of 10"
        yield Severity.NOTE, place(table, dataset, label), message, tuple(line for _, line in rows)


@check(
    "psnr-ssim",
    "PSNR and SSIM that rank two methods against each other by far",
    "Both measure distortion; a large disagreement is mostly two ways of computing SSIM, or one value of another row.",
)
def psnr_against_ssim(evidence: Evidence) -> Told:
    """Rows whose SSIM is higher by 0.04 at a PSNR that is not higher by 0.05 dB or more."""
    for table, numbers in grouped(evidence.present, lambda n: n.table).items():
        pairs: dict[tuple[str, str], list[str]] = {}
        for (dataset, _), cell in grouped(numbers, lambda n: (n.dataset, n.scale)).items():
            rows = [{n.metric: n for n in own} for own in grouped(cell, lambda n: n.row).values()]
            both = [(row["psnr"], row["ssim"]) for row in rows if {"psnr", "ssim"} <= row.keys()]
            for (p, s), (q, t) in ((x, y) for x in both for y in both):
                if p.value < q.value + 0.05 and s.value > t.value + 0.04:
                    line = f"{dataset} {p.at}: {p.shown}/{s.shown} against {q.shown}/{t.shown}"
                    pairs.setdefault((p.label, q.label), []).append(line)
        for (high, low), lines in pairs.items():
            more = (f"and {len(lines) - 3} more",) if len(lines) > 3 else ()
            yield Severity.NOTE, table, f"{high} has far more SSIM than {low} at no more PSNR", (*lines[:3], *more)
