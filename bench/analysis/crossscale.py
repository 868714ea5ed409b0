"""Cross-scale metrics: from one number per reference scale ("selfssim@8") to one number per output scale."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.analysis.scale_column import scale_column
from bench.api import MetricRef, Signature, UnitStatus

_UNIT = ["method", "variant", "dataset", "image", "scale", "seed"]


def over_references(records: pd.DataFrame) -> pd.DataFrame:
    """One row per unit and cross-scale metric: the mean over the reference scales other than the output's own.

    A unit that lacks one of the reference scales of its dataset has no value: means over different references
    cannot be compared.

    Args:
        records: Frame with RECORD_COLUMNS.
    Returns:
        Rows with RECORD_COLUMNS; empty where the records hold no cross-scale metric. The token "ref:..." is left out
        of the signature, so that all references of one unit share one.
    """
    names = {name: MetricRef.parse(name) for name in records["metric"].unique()}
    crossed = {name: ref.reference for name, ref in names.items() if ref.reference is not None}
    rows = records.loc[records["metric"].isin(list(crossed))].copy()
    if rows.empty:
        return rows
    rows["ref"] = scale_column((crossed[name] for name in rows["metric"]), rows.index)
    rows["metric"] = rows["metric"].map({name: names[name].name for name in crossed})
    rows["signature"] = rows["signature"].map({s: without_reference(s) for s in rows["signature"].unique()})
    pairs = rows[["dataset", "metric", "ref"]].drop_duplicates()
    rows = rows.loc[rows["ref"] != rows["scale"]].copy()
    if rows.empty:
        return rows[list(records.columns)]
    rows["good"] = (rows["unit_status"] == UnitStatus.OK) & rows["value"].notna()
    rows["value"] = rows["value"].where(rows["good"], 0.0)
    rows["failed"] = rows["unit_status"] == UnitStatus.FAILED
    rows["away"] = rows["unit_status"] == UnitStatus.UNAVAILABLE
    keys = [*_UNIT, "metric", "signature", "origin", "source", "seconds", "height", "width"]
    units = rows.groupby(keys, sort=False, dropna=False).agg(
        value=("value", "sum"), good=("good", "sum"), failed=("failed", "any"), away=("away", "any")
    )
    units = units.reset_index()
    counts = units[["dataset", "metric", "scale"]].drop_duplicates().merge(pairs, on=["dataset", "metric"])
    counts = counts.loc[counts["ref"] != counts["scale"]].groupby(["dataset", "metric", "scale"]).size()
    needed = units.merge(counts.rename("needed").reset_index(), on=["dataset", "metric", "scale"], how="left")["needed"]
    complete = units["good"].to_numpy() == needed.to_numpy()
    units["value"] = np.where(complete, units["value"] / units["good"].clip(lower=1), np.nan)
    absent = np.where(units["failed"], str(UnitStatus.FAILED), str(UnitStatus.UNAVAILABLE))
    units["unit_status"] = np.where(complete, str(UnitStatus.OK), absent)
    known = complete | units["failed"].to_numpy() | units["away"].to_numpy()
    return units.loc[known, list(records.columns)]


def without_reference(signature: str) -> str:
    """The signature without its tokens "ref:...": that of a mean over references, which `over_references` makes."""
    return Signature.parse(signature).without("ref").text
