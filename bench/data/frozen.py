"""The degradations that a seeded protocol draws for a set."""

from __future__ import annotations

from collections.abc import Iterable

from bench.api import Protocol, Sample
from bench.data.pair import draw_degradation
from bench.imaging.degrade import Degradation


def drawn_for(samples: Iterable[Sample], protocol: Protocol) -> dict[str, Degradation]:
    """id -> degradation of those samples that a protocol degrades; empty where it draws none."""
    made = [sample for sample in samples if sample.hr is not None and sample.lr is None]
    drawn = {sample.id: draw_degradation(sample.id, protocol) for sample in made}
    return {key: degradation for key, degradation in drawn.items() if degradation is not None}
