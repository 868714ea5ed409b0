"""From records to the summary: mean over images, then mean and sample sd over seeds; an incomplete cell has no mean."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.analysis.averaging import first_images, means, no_mean
from bench.analysis.cells import Measured, Plans, RowKey, complete_rows
from bench.analysis.crossscale import over_references
from bench.analysis.doubts import Doubts
from bench.analysis.planned import Cell, Expected, planned_cells
from bench.api import RECORD_COLUMNS, SUMMARY_COLUMNS, UnitStatus

SET_IMAGE = "*"
"""The image id of a set metric's record."""
UNAVAILABLE_NOTE = "unavailable: "
"""How the note of a summary row begins where the metric cannot be had; the reason follows."""

CELL_COLUMNS = ["method", "variant", "dataset", "scale", "seed"]
_SEEDED = [*CELL_COLUMNS, "metric", "signature"]


def summarise(
    records: pd.DataFrame,
    expected: Expected,
    *,
    unavailable: Mapping[str, str] | None = None,
    metrics: Sequence[str] = (),
) -> pd.DataFrame:
    """Average the records of a run.

    Args:
        records: Frame with RECORD_COLUMNS. A unit that is listed twice counts once (its last row).
        expected: Number of images per cell (method, variant, dataset, scale, seed), or its whole plan; cells without
            any record appear as 0/N. A cell that has records but is not expected is held against the images seen in
            its dataset.
        unavailable: metric -> why it cannot be computed here.
        metrics: The order of the metrics; others follow in the order of the records.
    Returns:
        Frame with SUMMARY_COLUMNS in the order of `expected`, scales ascending.
        `mean` and `seed_sd` are NaN where `n` is not `expected` for any seed, or where the seeds are of two origins or
        sets; `n` is the smallest of the seeds, `failed` their sum, `seeds` their number. `note` is "", "37/100",
        "37/100: why" or "unavailable: <reason>". A signature that says `first100` expects no more than 100. A set
        metric counts as one value of one. PSNR of identical images is inf, and so is a mean over it. There is no mean
        either, and `note` says so, where the signature names an aggregation that the metric does not have here.
        `doubt` says why a number means little.
    """
    reasons = dict(unavailable or {})
    units = records.loc[:, list(RECORD_COLUMNS)]
    code = _codes(units)
    # two columns in place of the eight that tell units apart: each costs a tour of all records
    again = pd.DataFrame({"code": code, "image": units["image"].array}).duplicated(keep="last").to_numpy()
    units, code = units.loc[~again], code[~again]
    crossed = over_references(units)
    if len(crossed):
        units = pd.concat([units, crossed], ignore_index=True)
        code = _codes(units)
    heads = _heads(units, code)
    whole_sets = (units["image"] == SET_IMAGE).to_numpy(dtype=bool)
    planned = planned_cells(expected)
    plans = Plans(_images_seen(units, heads, whole_sets), planned)
    measured = _measure(units, heads, code)
    set_metrics = set(units.loc[whole_sets, "metric"])
    named = [metric for plan in planned for metric in (plan.measures or {}).values()]
    order = list(dict.fromkeys([*metrics, *units["metric"].unique(), *reasons, *named]))
    rows = complete_rows(measured, plans, order, reasons)
    place = {name: position for position, name in enumerate(order)}
    methods = {pair: position for position, pair in enumerate(dict.fromkeys((c[0], c[1]) for c in plans))}
    datasets = {name: position for position, name in enumerate(dict.fromkeys(c[2] for c in plans))}
    keys = sorted(rows, key=lambda k: (methods[k[0], k[1]], datasets[k[2]], k[3], place[k[4]]))
    doubts = Doubts(records)
    lines = [_line(key, rows[key], plans, set_metrics, reasons, doubts) for key in keys]
    return pd.DataFrame(lines, columns=pd.Index(SUMMARY_COLUMNS)).astype({"mean": float, "seed_sd": float})


def _codes(units: pd.DataFrame) -> NDArray[np.intp]:
    """The group of each row: a cell, a metric and a signature."""
    return units.groupby(_SEEDED, sort=False, dropna=False).ngroup().to_numpy()


def _heads(units: pd.DataFrame, code: NDArray[np.intp]) -> pd.DataFrame:
    """What each group is of, in the order of their codes."""
    first = np.empty(code.max(initial=-1) + 1, dtype=np.intp)
    first[code[::-1]] = np.arange(len(code))[::-1]  # the last to be set is the first of its group
    return units[_SEEDED].iloc[first]


def _images_seen(units: pd.DataFrame, heads: pd.DataFrame, whole_sets: NDArray[np.bool_]) -> Iterator[tuple[Cell, int]]:
    """Each cell of the records with the number of images seen in its dataset at its scale."""
    seen = units.loc[~whole_sets, ["dataset", "scale", "image"]].drop_duplicates()
    images = seen.groupby(["dataset", "scale"]).size().to_dict()
    for cell in heads[CELL_COLUMNS].drop_duplicates().itertuples(index=False, name=None):
        yield cell, images.get((cell[2], cell[3]), 1)


def _measure(units: pd.DataFrame, heads: pd.DataFrame, code: NDArray[np.intp]) -> dict[tuple[Cell, str, str], Measured]:
    """(cell, metric, signature) -> mean over the good images, and counts of good, unavailable and failed ones."""
    good = ((units["unit_status"] == UnitStatus.OK) & units["value"].notna()).to_numpy(dtype=bool)
    away = (units["unit_status"] == UnitStatus.UNAVAILABLE).to_numpy(dtype=bool)
    count = len(heads)
    values, images = units["value"].to_numpy(dtype=float, na_value=np.nan), units["image"].to_numpy(dtype=object)
    n = np.bincount(code[good], minlength=count)
    mean = means(heads, code[good], values[good], images[good])
    aways = np.bincount(code[away], minlength=count)
    stale = (units["unit_status"] == UnitStatus.STALE).to_numpy(dtype=bool)
    failed = np.bincount(code[~good & ~away & ~stale], minlength=count)
    columns = zip(n.tolist(), aways.tolist(), failed.tolist(), mean.tolist(), strict=True)
    return {
        (head[:5], head[5], head[6]): Measured(*numbers)
        for head, numbers in zip(heads.itertuples(index=False, name=None), columns, strict=True)
    }


def _line(
    key: RowKey,
    seeds: Mapping[int, Measured],
    plans: Plans,
    set_metrics: set[str],
    reasons: Mapping[str, str],
    doubts: Doubts,
) -> tuple[object, ...]:
    """One row of the summary."""
    method, variant, dataset, scale, metric, signature = key
    first = first_images(signature)
    own = {seed: plans.governing((method, variant, dataset, scale, seed), signature) for seed in seeds}
    wanted = {seed: 1 if metric in set_metrics else min(plan.images, first) for seed, plan in own.items()}
    n, expected = min(m.n for m in seeds.values()), int(max(wanted.values()))
    failed = sum(m.failed for m in seeds.values())
    origins = list(dict.fromkeys(plan.origin for plan in own.values()))
    sources = list(dict.fromkeys(plan.source for plan in own.values()))
    mean = sd = math.nan
    note = ""
    if len(origins) > 1 or len(sources) > 1:
        kind = "versions of what made them" if len(origins) > 1 else "sets of images"
        note = f"{n}/{expected}: the seeds are of {max(len(origins), len(sources))} {kind}; type the command again"
    elif all(m.n == wanted[seed] for seed, m in seeds.items()) and n > 0:
        if reason := no_mean(metric, signature):
            note = UNAVAILABLE_NOTE + reason
        else:
            of_seeds = [m.mean for m in seeds.values()]
            mean = sum(of_seeds) / len(of_seeds)
            if len(of_seeds) > 1 and math.isfinite(mean):
                sd = statistics.stdev(of_seeds)
    elif n == 0 and (metric in reasons or any(m.away for m in seeds.values())):
        note = UNAVAILABLE_NOTE + reasons.get(metric, "it does not apply to these images")
    else:
        older = "; ".join(dict.fromkeys(plan.older for plan in own.values() if plan.older))
        note = f"{n}/{expected}" + (f": {older}" if older else "")
    head = (method, variant, dataset, scale, metric, mean, sd, n, expected, failed, len(seeds), signature)
    doubt = doubts.of((method, variant, dataset, scale), metric, signature, scored=not math.isnan(mean))
    return (*head, "+".join(origins), "+".join(sources), note, doubt)
