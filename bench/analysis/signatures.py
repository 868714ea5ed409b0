"""Signatures of a table: whether rows may stand in one, and the lines that stand under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from bench.api import RequestError, Scale, Signature, format_times


@dataclass(frozen=True)
class SignatureLine:
    """How one metric was made; `scales` and `datasets` are empty where it is the same for all of the table."""

    metric: str
    scales: tuple[Scale, ...]
    signature: str
    datasets: tuple[str, ...] = ()


def check_one_protocol(rows: pd.DataFrame, protocols: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Make sure that rows of a summary were made in one way.

    Args:
        rows: Columns metric, scale, signature (rows without a signature hold no number and are passed over).
        protocols: signature -> names of the protocols that give it; may be empty.
    Returns:
        The protocols that all rows have in common; empty where nobody knows.
    Raises:
        RequestError: one metric has two signatures at one scale, or the metrics are of different protocols; names the
            tokens that differ.
    """
    signed = rows.loc[rows["signature"] != ""]
    pairs = signed[["metric", "scale", "signature"]].drop_duplicates()
    if len(pairs) > len(pairs[["metric", "scale"]].drop_duplicates()):
        _check_each_scale(signed, protocols)
    common: tuple[str, ...] | None = None
    for signature in pairs["signature"].unique():
        if not protocols.get(signature):
            continue
        names = tuple(protocols[signature])
        common = names if common is None else tuple(name for name in common if name in names)
        if not common:
            raise _protocol_mixture(pairs, signature, protocols)
    for metric, group in pairs.groupby("metric", sort=False):
        # every pair: given LR fits whatever the others were made with, which need not fit each other. One name is no
        # proof, since files and options may give it to two protocols
        for first, second in combinations(group["signature"].unique(), 2):
            if not Signature.parse(first).fits_other_scale(Signature.parse(second)):
                raise _mixture(str(metric), first, second, protocols)
    return common or ()


def _check_each_scale(signed: pd.DataFrame, protocols: Mapping[str, Sequence[str]]) -> None:
    """One signature per metric and scale, but for what may differ between the datasets of one table."""
    columns = [c for c in ("metric", "scale", "dataset", "signature") if c in signed.columns]
    for _, group in signed[columns].drop_duplicates().groupby(["metric", "scale"], sort=False):
        metric, found = str(next(iter(group["metric"]))), list(group["signature"])
        per_dataset = "dataset" in columns and len(set(group["dataset"])) == len(found)
        for first, second in combinations(dict.fromkeys(found), 2):
            if not (per_dataset and Signature.parse(first).fits_other_dataset(Signature.parse(second))):
                raise _mixture(metric, first, second, protocols)


def signature_lines(rows: pd.DataFrame) -> list[SignatureLine]:
    """The signature of each metric, per group of datasets and of scales where it differs between them."""
    named = rows if "dataset" in rows.columns else rows.assign(dataset="")
    signed = named.loc[named["signature"] != "", ["metric", "dataset", "scale", "signature"]].drop_duplicates()
    found: dict[str, dict[str, tuple[dict[str, None], dict[Scale, None]]]] = {}
    for row in signed.sort_values("scale", kind="stable").to_dict("records"):
        datasets, scales = found.setdefault(row["metric"], {}).setdefault(row["signature"], ({}, {}))
        datasets[row["dataset"]] = None
        scales[row["scale"]] = None
    lines = []
    for metric in dict.fromkeys(signed["metric"]):
        signatures = found[str(metric)]
        all_datasets, all_scales = (set().union(*(part[i] for part in signatures.values())) for i in (0, 1))
        for signature, (datasets, scales) in signatures.items():
            own_datasets = tuple(datasets) if len(datasets) < len(all_datasets) else ()
            own_scales = tuple(scales) if len(scales) < len(all_scales) else ()
            lines.append(SignatureLine(str(metric), own_scales, signature, own_datasets))
    return lines


def format_scales(scales: Sequence[Scale]) -> str:
    """Scales for people: ×2, ×3, ×1.5×2."""
    return ", ".join(map(format_times, scales))


def _mixture(metric: str, first: str, second: str, protocols: Mapping[str, Sequence[str]]) -> RequestError:
    differing = Signature.parse(first).differences(Signature.parse(second))
    tokens = ", ".join(f"{token.first} vs {token.second}" for token in differing)
    names = [name for signature in (first, second) for name in protocols.get(signature, ())]
    return RequestError(f"one table cannot mix protocols: {metric}: {tokens}; {_choose(names)}")


def _protocol_mixture(pairs: pd.DataFrame, signature: str, protocols: Mapping[str, Sequence[str]]) -> RequestError:
    other = next(
        s for s in pairs["signature"] if protocols.get(s) and not set(protocols[s]) & set(protocols[signature])
    )
    of = {s: str(pairs.loc[pairs["signature"] == s, "metric"].iloc[0]) for s in (other, signature)}
    if of[other] == of[signature]:
        return _mixture(of[other], other, signature, protocols)
    seen = " vs ".join(f"{of[s]} under {'/'.join(protocols[s])}" for s in (other, signature))
    return RequestError(
        f"one table cannot mix protocols: {seen}; {_choose([n for s in (other, signature) for n in protocols[s]])}"
    )


def _choose(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names))
    if len(unique) > 1:
        return f"choose --protocol {' or --protocol '.join(unique)}, or make separate tables"
    return "choose one with --signature (tokens separated by commas), or make separate tables"
