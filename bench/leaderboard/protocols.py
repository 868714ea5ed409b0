"""Names of protocols for numbers that come without any: whose signature each one is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

from bench.api import PRESETS, MetricRef, RequestError, Signature
from bench.metrics.catalog import make_metric

_MEASURED = ("w", "weights", "n", "ref")
"""Tokens that tell what was at hand, not what the protocol says."""


def protocol_names(metric: str, signature: str, scale: float) -> str:
    """The presets under which a metric has this signature at a scale, joined by commas; "" where there is none."""
    return ", ".join(_signed(MetricRef.parse(metric).name, scale).get(_bare(signature), ()))


@lru_cache(maxsize=256)
def _signed(metric: str, scale: float) -> Mapping[str, tuple[str, ...]]:
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
