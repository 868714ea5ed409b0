"""From records to the summary: mean over images, then mean and sample sd over seeds; an incomplete cell has no mean.

PSNR under `agg:batch8-mse` follows Kim et al.'s evaluation: the PSNR of the mean MSE of each batch of 8 images in id
order, averaged with the batch sizes as weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.analysis.crossscale import over_references
from bench.analysis.expected import CELL_COLUMNS, Expected, expected_frame
from bench.api import RECORD_COLUMNS, SUMMARY_COLUMNS, UnitStatus

_ROW = ["method", "variant", "dataset", "scale", "metric", "signature"]
_SEEDED = [*_ROW, "seed"]
_BATCH = re.compile(r"(?:^|\|)agg:batch(\d+)-mse")
_FIRST = re.compile(r"(?:^|\|)agg:[^|]*-first(\d+)(?:\||$)")
SET_IMAGE = "*"
UNAVAILABLE_NOTE = "unavailable: "


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
        expected: Number of images per cell (method, variant, dataset, scale, seed); cells without any record appear
            as 0/N. A cell that has records but is not expected is held against the images seen in its dataset.
        unavailable: metric -> why it cannot be computed here.
        metrics: The order of the metrics; others follow in the order of the records.
    Returns:
        Frame with SUMMARY_COLUMNS in the order of `expected`, scales ascending.
        `mean` and `seed_sd` are NaN where `n` < `expected` for any seed; `n` is the smallest of the seeds, `failed`
        their sum, `seeds` their number. `note` is "", "37/100" or "unavailable: <reason>". A set metric counts as one
        value of one. PSNR of identical images is inf, and so is a mean over it.
    """
    reasons = dict(unavailable or {})
    units = records.loc[:, list(RECORD_COLUMNS)].drop_duplicates(
        ["method", "variant", "dataset", "image", "scale", "seed", "metric", "signature"], keep="last"
    )
    units = pd.concat([units, over_references(units)], ignore_index=True)
    cells = _all_cells(units, expected_frame(expected))
    seeds = _per_seed(units)
    seeds = _fill_wanted(seeds, cells, reasons, metrics)
    set_metrics = set(units.loc[units["image"] == SET_IMAGE, "metric"])
    return _over_seeds(seeds, cells, set_metrics, reasons)


def _per_seed(units: pd.DataFrame) -> pd.DataFrame:
    """One row per summary row and seed: mean of the good values, and counts of good, failed and unavailable ones."""
    good = ((units["unit_status"] == UnitStatus.OK) & units["value"].notna()).to_numpy()
    away = (units["unit_status"] == UnitStatus.UNAVAILABLE).to_numpy()
    keys = units.groupby(_SEEDED, sort=False, dropna=False)
    code = keys.ngroup().to_numpy()
    groups = units.loc[~units.duplicated(_SEEDED), _SEEDED].reset_index(drop=True)
    count = len(groups)
    values = np.where(good, units["value"].to_numpy(dtype=float, na_value=np.nan), 0.0)
    groups["n"] = np.bincount(code[good], minlength=count)
    groups["away"] = np.bincount(code[away], minlength=count)
    groups["failed"] = np.bincount(code[~good & ~away], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        groups["mean"] = np.bincount(code, weights=values, minlength=count) / groups["n"].to_numpy()
    batch = groups["signature"].map({s: _batch_size(s) for s in groups["signature"].unique()}).to_numpy()
    batch = np.where(groups["metric"] == "psnr", batch, 0)
    if batch.any():
        picked = good & (batch[code] > 0)
        chosen = units.loc[picked]
        batched = _batch_psnr(chosen["value"].to_numpy(dtype=float), chosen["image"], code[picked], batch)
        groups["mean"] = np.where(batch > 0, batched, groups["mean"])
    return groups


def _batch_psnr(psnr: NDArray[np.float64], image: pd.Series, code: NDArray[np.int64], batch: NDArray) -> NDArray:
    """Per group: the PSNR of the mean MSE of consecutive batches in id order, weighted by batch size."""
    order = np.lexsort((image.astype(str).to_numpy(dtype=object).astype(str), code))
    psnr, code = psnr[order], code[order]
    starts = np.r_[0, np.flatnonzero(np.diff(code)) + 1] if len(code) else np.zeros(0, int)
    rank = np.arange(len(code)) - np.repeat(starts, np.diff(np.r_[starts, len(code)]))
    opens = rank % batch[code] == 0
    part = np.cumsum(opens) - 1
    size = np.bincount(part)
    with np.errstate(divide="ignore", invalid="ignore"):
        mse = np.bincount(part, weights=10.0 ** (-psnr / 10.0)) / size
        weighted = size * (-10.0 * np.log10(mse))
        owner = code[opens]
        return np.bincount(owner, weights=weighted, minlength=len(batch)) / np.bincount(
            owner, weights=size, minlength=len(batch)
        )


def _all_cells(units: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """The expected cells, and after them those that only the records know, with the images seen in their dataset."""
    seen = units.loc[units["image"] != SET_IMAGE, ["dataset", "scale", "image"]].drop_duplicates()
    images = seen.groupby(["dataset", "scale"]).size().rename("seen").reset_index()
    cells = units[CELL_COLUMNS].drop_duplicates().merge(images, on=["dataset", "scale"], how="left")
    cells = cells.merge(expected, on=CELL_COLUMNS, how="left")
    others = cells.loc[cells["expected"].isna()].copy()
    others["expected"] = others["seen"].fillna(1)
    both = pd.concat([expected, others[expected.columns]], ignore_index=True) if len(others) else expected
    return both.astype({"expected": "int64"})


def _fill_wanted(
    seeds: pd.DataFrame, cells: pd.DataFrame, reasons: Mapping[str, str], order: Sequence[str]
) -> pd.DataFrame:
    """Add a row of zeros for everything that a cell should have and has not; give unsigned rows their signature."""
    unnamed = seeds.loc[seeds["metric"] == ""].groupby(CELL_COLUMNS)["failed"].sum().rename("lost").reset_index()
    seeds = seeds.loc[seeds["metric"] != ""]
    signed = seeds.loc[seeds["signature"] != "", ["dataset", "scale", "metric", "signature"]].drop_duplicates()
    known = seeds[["dataset", "scale", "metric"]].drop_duplicates()
    wanted = known.merge(signed, on=["dataset", "scale", "metric"], how="left").fillna({"signature": ""})
    missing = cells[["dataset", "scale"]].drop_duplicates()
    missing = missing.merge(wanted[["dataset", "scale"]].drop_duplicates().assign(has=True), how="left")
    missing = missing.loc[missing["has"].isna(), ["dataset", "scale"]]
    elsewhere = wanted[["scale", "metric", "signature"]].drop_duplicates()
    names = list(dict.fromkeys([*seeds["metric"], *reasons]))
    for dataset, scale in missing.itertuples(index=False, name=None):
        same = elsewhere.loc[elsewhere["scale"] == scale]
        rest = pd.DataFrame({"metric": [m for m in names if m not in set(same["metric"]) and "@" not in m]})
        rest["signature"] = ""
        rows = pd.concat([same[["metric", "signature"]], rest]).assign(dataset=dataset, scale=scale)
        wanted = pd.concat([wanted, rows[wanted.columns]])
    extra = cells[["dataset", "scale"]].drop_duplicates().merge(pd.DataFrame({"metric": list(reasons)}), how="cross")
    extra = extra.merge(wanted[["dataset", "scale", "metric"]].drop_duplicates().assign(has=True), how="left")
    extra = extra.loc[extra["has"].isna(), ["dataset", "scale", "metric"]].assign(signature="")
    wanted = pd.concat([wanted, extra], ignore_index=True)
    frame = cells[CELL_COLUMNS].merge(wanted, on=["dataset", "scale"])[_SEEDED]
    unsigned = seeds["signature"] == ""
    adopted = seeds.loc[unsigned].drop(columns="signature").merge(wanted, on=["dataset", "scale", "metric"])
    counts = pd.concat([seeds.loc[~unsigned], adopted[seeds.columns]], ignore_index=True)
    means = counts.loc[counts["n"] > 0, [*_SEEDED, "mean"]].drop_duplicates(_SEEDED)
    counts = counts.groupby(_SEEDED, sort=False)[["n", "away", "failed"]].sum().reset_index()
    frame = frame.merge(counts, on=_SEEDED, how="left").merge(means, on=_SEEDED, how="left")
    frame = frame.merge(unnamed, on=CELL_COLUMNS, how="left")
    frame[["n", "away", "failed", "lost"]] = frame[["n", "away", "failed", "lost"]].fillna(0).astype("int64")
    frame["failed"] += frame["lost"]
    rank = {name: position for position, name in enumerate(dict.fromkeys([*order, *names]))}
    return frame.assign(rank=frame["metric"].map(rank)).drop(columns="lost")


def _over_seeds(
    seeds: pd.DataFrame, cells: pd.DataFrame, set_metrics: set[str], reasons: Mapping[str, str]
) -> pd.DataFrame:
    seeds = seeds.merge(cells, on=CELL_COLUMNS, how="left")
    first = seeds["signature"].map({s: _first_images(s) for s in seeds["signature"].unique()}).astype(float)
    seeds["expected"] = np.fmin(seeds["expected"].to_numpy(dtype=float), first.to_numpy()).astype("int64")
    seeds.loc[seeds["metric"].isin(set_metrics), "expected"] = 1
    seeds["complete"] = seeds["n"] >= seeds["expected"]
    groups = seeds.groupby(_ROW, sort=False, dropna=False)
    out = groups.agg(
        n=("n", "min"),
        expected=("expected", "max"),
        failed=("failed", "sum"),
        away=("away", "sum"),
        seeds=("seed", "nunique"),
        complete=("complete", "all"),
        rank=("rank", "min"),
    )
    code = groups.ngroup().to_numpy()
    total = out["seeds"].to_numpy()
    values = seeds["mean"].to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(code, weights=values, minlength=len(out)) / total
        square = np.bincount(code, weights=(values - mean[code]) ** 2, minlength=len(out))
        sd = np.sqrt(square / np.where(total > 1, total - 1, np.nan))
    complete = out["complete"].to_numpy(dtype=bool)
    out["mean"] = np.where(complete, mean, np.nan)
    out["seed_sd"] = np.where(complete & np.isfinite(mean), sd, np.nan)
    out = out.reset_index()
    fraction = out["n"].astype(str) + "/" + out["expected"].astype(str)
    reason = out["metric"].map(reasons)
    gone = ~complete & (out["n"] == 0) & (reason.notna() | (out["away"] > 0))
    why = UNAVAILABLE_NOTE + reason.fillna("it does not apply to these images")
    out["note"] = np.where(complete, "", np.where(gone, why, fraction))
    places = {
        "m": _positions(cells, ["method", "variant"], out),
        "d": _positions(cells, ["dataset"], out),
    }
    out = out.assign(**places).sort_values(["m", "d", "scale", "rank"], kind="stable")
    return out[list(SUMMARY_COLUMNS)].reset_index(drop=True)


def _positions(cells: pd.DataFrame, columns: list[str], rows: pd.DataFrame) -> pd.Series:
    order = cells[columns].drop_duplicates().reset_index(drop=True)
    order["place"] = np.arange(len(order))
    return rows[columns].merge(order, on=columns, how="left")["place"]


def _batch_size(signature: str) -> int:
    match = _BATCH.search(signature)
    return int(match[1]) if match else 0


def _first_images(signature: str) -> float:
    match = _FIRST.search(signature)
    return float(match[1]) if match else np.nan
