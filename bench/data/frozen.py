"""The degradations that a seeded protocol draws for a set, as a manifest that others can read and compare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.api import Dataset, Protocol, RequestError, Sample
from bench.data.pair import draw_degradation
from bench.imaging.degrade import Degradation
from bench.imaging.manifest import write_manifest


def draw_degradations(dataset: Dataset, scale: float, protocol: Protocol) -> dict[str, Degradation]:
    """What `prepare` applies to each image of a set.

    Returns:
        id -> degradation, sorted by id.
    Raises:
        RequestError: the protocol draws none, or the images come with LR images of their own.
        Unavailable: of the dataset.
    """
    if protocol.degradation == "none":
        raise RequestError(f"protocol {protocol.name} draws no degradation: it only downsamples")
    drawn = drawn_for(dataset.samples(scale), protocol)
    if not drawn:
        raise RequestError(f"{dataset.name} brings its own LR images; nothing is degraded")
    return drawn


def drawn_for(samples: Iterable[Sample], protocol: Protocol) -> dict[str, Degradation]:
    """id -> degradation of those samples that a protocol degrades; empty where it draws none."""
    made = [sample for sample in samples if sample.hr is not None and sample.lr is None]
    drawn = {sample.id: draw_degradation(sample.id, protocol) for sample in made}
    return {key: degradation for key, degradation in drawn.items() if degradation is not None}


def export_degradations(path: Path, dataset: Dataset, scale: float, protocol: Protocol) -> int:
    """Write the manifest of a set.

    Returns:
        How many images it holds.
    Raises:
        RequestError: as `draw_degradations`.
        OSError: the folder is missing, read-only or full.
    """
    drawn = draw_degradations(dataset, scale, protocol)
    write_manifest(path, drawn)
    return len(drawn)
