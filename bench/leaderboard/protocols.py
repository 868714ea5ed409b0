"""Names of protocols for numbers that come without any: whose signature each one is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache

from bench.api import PRESETS, MetricRef, RequestError, Scale, Signature
from bench.metrics.catalog import make_metric

_MEASURED = ("w", "weights", "n", "ref")
"""Tokens that tell what was at hand, not what the protocol says."""


def protocol_names(metric: str, signature: str, scale: Scale) -> tuple[str, ...]:
    """The presets under which a metric has this signature at a scale."""
    return _signed(MetricRef.parse(metric).name, scale).get(_bare(signature), ()) if signature else ()


def in_common(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The presets that fit all numbers of one request: it was made under one of them.

    Args:
        names: The presets of each number; a number without any says nothing.
    """
    common: tuple[str, ...] | None = None
    for own in names:
        if own:
            common = own if common is None else tuple(name for name in common if name in own)
    return common or ()


@lru_cache(maxsize=256)
def _signed(metric: str, scale: Scale) -> Mapping[str, tuple[str, ...]]:
    """Signature without measured tokens -> names of the presets that give it."""
    found: dict[str, tuple[str, ...]] = {}
    with suppress(RequestError):
        made = make_metric(metric)
        for protocol in PRESETS.values():
            key = _bare(made.signature(protocol, scale))
            found[key] = (*found.get(key, ()), protocol.name)
    return found


def _bare(signature: str) -> str:
    parsed = Signature.parse(signature)
    for token in _MEASURED:
        parsed = parsed.without(token)
    return parsed.text
