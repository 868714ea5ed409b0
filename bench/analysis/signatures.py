"""Signatures: which tokens differ, whether rows may stand in one table, and the lines that stand under it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.api import RequestError, format_scale

_PER_SCALE = ("lr:", "w:", "weights:")
"""Tokens in which one protocol may differ between scales even where nobody says which protocol a signature is of."""


@dataclass(frozen=True)
class SignatureLine:
    """How one metric was made; `scales` and `datasets` are empty where it is the same for all of the table."""

    metric: str
    scales: tuple[float, ...]
    signature: str
    datasets: tuple[str, ...] = ()


def token_differences(first: str, second: str) -> list[tuple[str, str]]:
    """The tokens in which two signatures differ, as pairs (first's, second's); "-" where one has no such token.

    Tokens are matched by the name before ":"; the unnamed ones (metric, colour, version) by their position.
    """
    mine, theirs = _named(first), _named(second)
    names = list(dict.fromkeys([*mine, *theirs]))
    return [(mine.get(n, "-"), theirs.get(n, "-")) for n in names if mine.get(n) != theirs.get(n)]


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
        found = list(group["signature"].unique())
        for other in found[1:]:
            if protocols.get(found[0]) and protocols.get(other):
                continue
            differing = token_differences(found[0], other)
            if any(not (a + b).startswith(_PER_SCALE) and not a.startswith("n:") for a, b in differing):
                raise _mixture(str(metric), found[0], other, protocols)
    return common or ()


def _check_each_scale(signed: pd.DataFrame, protocols: Mapping[str, Sequence[str]]) -> None:
    """One signature per metric and scale, but for what may differ between the datasets of one table."""
    columns = [c for c in ("metric", "scale", "dataset", "signature") if c in signed.columns]
    for _, group in signed[columns].drop_duplicates().groupby(["metric", "scale"], sort=False):
        metric, found = str(next(iter(group["metric"]))), list(group["signature"])
        per_dataset = "dataset" in columns and len(set(group["dataset"])) == len(found)
        for other in found[1:]:
            if not (per_dataset and _only_between_datasets(found[0], other)):
                raise _mixture(metric, found[0], other, protocols)


def _only_between_datasets(first: str, second: str) -> bool:
    """Sets that bring their LR are signed lr:given, and a set metric names its number of images."""
    return all("lr:given" in pair or pair[0].startswith("n:") for pair in token_differences(first, second))


def signature_lines(rows: pd.DataFrame) -> list[SignatureLine]:
    """The signature of each metric, per group of datasets and of scales where it differs between them."""
    named = rows if "dataset" in rows.columns else rows.assign(dataset="")
    signed = named.loc[named["signature"] != "", ["metric", "dataset", "scale", "signature"]].drop_duplicates()
    found: dict[str, dict[str, tuple[dict[str, None], dict[float, None]]]] = {}
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


def format_scales(scales: Sequence[float], *, times: str = "×") -> str:
    """Scales for people: ×2, ×3, ×4."""
    return ", ".join(times + format_scale(scale) for scale in scales)


def _named(signature: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for position, token in enumerate(signature.split("|")):
        name, colon, _ = token.partition(":")
        found[name if colon and position else f"#{len([k for k in found if k.startswith('#')])}"] = token
    return found


def _mixture(metric: str, first: str, second: str, protocols: Mapping[str, Sequence[str]]) -> RequestError:
    tokens = ", ".join(f"{a} vs {b}" for a, b in token_differences(first, second))
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
