"""Choosing rows of a summary: by method, dataset, scale, metric, protocol or signature tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.api import NO_VARIANT, RequestError, Scale, Signature, format_scale, parse_scales, unknown_name
from bench.api.lists import names


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to keep; an empty tuple or None keeps everything. The order of names is the order in the table."""

    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    scales: tuple[Scale, ...] = ()
    metrics: tuple[str, ...] = ()
    protocol: str | None = None
    signature: tuple[str, ...] = ()
    """Tokens that the signature must have; metrics of which no signature has them all are left as they are."""
    variants: tuple[str, ...] = ()
    """VARIANT or METHOD:VARIANT; methods of which none is named keep all of theirs. "-" is the empty variant."""

    @staticmethod
    def typed(
        *,
        methods: str = "",
        datasets: str = "",
        scales: str = "",
        metrics: str | Sequence[str] = "",
        protocol: str | None = None,
        signature: str = "",
        variants: Sequence[str] | None = None,
    ) -> Selection:
        """The selection of options as they are typed, with commas.

        Raises:
            RequestError: what should be a scale is none.
        """
        return Selection(
            methods=names(methods),
            datasets=names(datasets),
            scales=parse_scales(scales) if scales else (),
            metrics=names(metrics) if isinstance(metrics, str) else tuple(metrics),
            protocol=protocol,
            signature=names(signature),
            variants=tuple(variants or ()),
        )

    def admits(self, method: str, dataset: str, scale: Scale | None, metric: str) -> bool:
        """Whether a number is kept, by these four; names that nothing has are passed over."""
        asked = ((self.methods, method), (self.datasets, dataset), (self.scales, scale), (self.metrics, metric))
        return all(not wanted or value in wanted for wanted, value in asked)


def select(
    summary: pd.DataFrame, selection: Selection, *, protocols: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """The chosen rows, in the chosen order.

    Args:
        summary: SUMMARY_COLUMNS.
        selection: What to keep.
        protocols: signature -> names of the protocols that give it.
    Raises:
        RequestError: a name that the run does not hold, or nothing is left.
    """
    rows = summary
    for column, wanted in (
        ("method", selection.methods),
        ("dataset", selection.datasets),
        ("metric", selection.metrics),
        ("scale", selection.scales),
    ):
        rows = _keep(rows, summary, column, wanted)
    if selection.variants:
        rows = _of_variants(rows, selection.variants)
    if selection.protocol is not None:
        rows = _of_protocol(rows, selection.protocol, protocols or {})
    if selection.signature:
        rows = _with_tokens(rows, selection.signature)
    if rows.empty:
        raise RequestError("the selection leaves no row of this run; leave out a filter")
    return rows.reset_index(drop=True)


def _keep(rows: pd.DataFrame, summary: pd.DataFrame, column: str, names: Sequence[str | Scale]) -> pd.DataFrame:
    if not names:
        return rows
    known = list(dict.fromkeys(summary[column]))
    for name in names:
        if name not in known:
            if not isinstance(name, str):
                seen = ", ".join(format_scale(s) for s in sorted(known))
                raise RequestError(f"scale {format_scale(name)} is not in this run; it holds {seen}")
            raise unknown_name(f"{column} of this run", str(name), [str(k) for k in known], "bench table RUN_FOLDER")
    place = {name: position for position, name in enumerate(names)}
    rows = rows.loc[rows[column].isin(list(names))]
    order = sorted(range(len(rows)), key=[place[name] for name in rows[column]].__getitem__)
    return rows.iloc[order]


def _of_variants(rows: pd.DataFrame, wanted: Sequence[str]) -> pd.DataFrame:
    known = list(dict.fromkeys(zip(rows["method"], rows["variant"].replace("", NO_VARIANT), strict=True)))
    chosen: dict[tuple[str, str], None] = {}
    for text in wanted:
        fitting = [pair for pair in known if text in (pair[1], f"{pair[0]}:{pair[1]}")]
        if not fitting:
            raise unknown_name("variant of this run", text, [f"{m}:{v}" for m, v in known], "bench table RUN_FOLDER")
        chosen.update(dict.fromkeys(fitting))
    named = {method for method, _ in chosen}
    pairs = zip(rows["method"], rows["variant"].replace("", NO_VARIANT), strict=True)
    return rows.loc[[method not in named or (method, variant) in chosen for method, variant in pairs]]


def _of_protocol(rows: pd.DataFrame, protocol: str, protocols: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    known = sorted({name for names in protocols.values() for name in names})
    if protocol not in known:
        raise unknown_name("protocol of this run", protocol, known, "bench protocols")
    own = {signature for signature, names in protocols.items() if protocol in names}
    return rows.loc[rows["signature"].isin([*own, ""])]


def _with_tokens(rows: pd.DataFrame, tokens: Sequence[str]) -> pd.DataFrame:
    match = {s: all(map(Signature.parse(s).has, tokens)) for s in rows["signature"].unique()}
    good = [match[signature] for signature in rows["signature"]]
    if not any(good):
        seen = "; ".join(sorted(s for s in match if s)[:6])
        raise RequestError(f"no signature of this run has the tokens {', '.join(tokens)}; it holds {seen}")
    narrowed = set(rows.loc[good, "metric"])
    keep = [
        match[signature] or signature == "" or metric not in narrowed
        for metric, signature in zip(rows["metric"], rows["signature"], strict=True)
    ]
    return rows.loc[keep]
