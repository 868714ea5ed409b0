"""Scores one image with many metrics: one decode, each plane made once, what references have in common remembered."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import MetricKind, MetricValue, Protocol, Scale, Unavailable, UnitError
from bench.metrics.base import Metric, Pixels, ScoredPair
from bench.metrics.catalog import make_metric

_PER_IMAGE = (MetricKind.FULL_REFERENCE, MetricKind.NO_REFERENCE)


class Scorer:
    """Scores images under one protocol.

    Set and cross-scale metrics may be among the names: they are signed here and computed elsewhere.
    """

    def __init__(
        self,
        metrics: Sequence[Metric] | Sequence[str],
        protocol: Protocol,
        *,
        weights_root: Path | None = None,
        reference_cache_mb: float = 512,
    ) -> None:
        """Prepare; no torch import.

        Args:
            metrics: What `choose_metrics` gave, or the names that it knows, which is what a worker process is handed.
            protocol: The knobs.
            weights_root: Where the parameters of metrics given by name lie; None: `TORCH_HOME`, else torch's default.
            reference_cache_mb: Memory for what is remembered of references between calls.
        Raises:
            RequestError: an unknown metric.
        """
        self.protocol = protocol
        chosen = [metric if isinstance(metric, Metric) else make_metric(metric, weights_root) for metric in metrics]
        self._metrics: dict[str, Metric] = {metric.info.name: metric for metric in chosen}
        self._signatures: dict[tuple[str, Scale], str] = {}
        self._references = ReferenceCache(int(reference_cache_mb * 2**20))

    def signatures(self, scale: Scale) -> dict[str, str]:
        """Metric -> signature at this scale; no torch import."""
        return {name: metric.signature(self.protocol, scale) for name, metric in self._metrics.items()}

    def unavailable(self) -> dict[str, str]:
        """Metrics that cannot be computed here -> why; no torch import."""
        reasons = {name: metric.unavailable() for name, metric in self._metrics.items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def needs_lr(self, metrics: Iterable[str] | None = None) -> bool:
        """Whether any of these metrics (all, by default) compares with the LR image."""
        return any(self._metrics[name].needs_lr for name in (self._metrics if metrics is None else metrics))

    def score(
        self,
        sr: Pixels,
        hr: Pixels | None,
        lr: NDArray[np.float32] | None,
        scale: Scale,
        reference_id: str,
        *,
        metrics: Iterable[str] | None = None,
    ) -> dict[str, MetricValue]:
        """Compute the full-reference and no-reference metrics of one image.

        Args:
            sr: The result, (H, W, 3) RGB or (H, W) luma, uint8 or uint16, rounded as the protocol says.
            hr: The reference of the same shape, uint8; None for an LR-only set.
            lr: float32 (h, w, 3) in [0, 1], what the method was given; None where it is not at hand.
            scale: Nominal scale.
            reference_id: Names the pixels of `hr`: equal ids must mean equal references.
            metrics: Which of the scorer's metrics; None: all of them.
        Returns:
            Metric -> value with its own seconds, or the reason why there is none. An infinite PSNR is a value.
        Raises:
            UnitError: SR and HR do not have the same size and channels, or are no images; nothing is resized.
        """
        _check(sr, hr)
        memo = self._references.get((reference_id, None if hr is None else hr.shape))
        pair = ScoredPair(sr=sr, hr=hr, lr=lr, scale=scale, protocol=self.protocol, reference_memo=memo)
        wanted = self._metrics if metrics is None else list(metrics)
        try:
            return {
                name: _value(self._metrics[name], pair, self._signature(name, scale))
                for name in wanted
                if self._metrics[name].info.kind in _PER_IMAGE
            }
        finally:
            self._references.trim()

    def _signature(self, name: str, scale: Scale) -> str:
        if (name, scale) not in self._signatures:
            self._signatures[name, scale] = self._metrics[name].signature(self.protocol, scale)
        return self._signatures[name, scale]


class ReferenceCache:
    """What metrics remember of references, the least recently used dropped first; bounded in bytes."""

    def __init__(self, limit: int) -> None:
        """Args: limit: bytes; a single reference above it is not kept."""
        self.limit = limit
        self._memos: OrderedDict[Any, dict[str, Any]] = OrderedDict()
        self._sizes: dict[Any, int] = {}
        self._total = 0
        self._handed_out: set[Any] = set()  # since the last `trim`: the others have the size that they had

    def get(self, key: Any) -> dict[str, Any]:
        """The memo of a reference, empty at first; its owner fills it, then calls `trim`."""
        memo = self._memos.setdefault(key, {})
        self._memos.move_to_end(key)
        self._handed_out.add(key)
        return memo

    def trim(self) -> None:
        """Drop the oldest memos until the limit holds."""
        for key in self._handed_out:
            size = nbytes(self._memos[key])
            self._total += size - self._sizes.get(key, 0)
            self._sizes[key] = size
        self._handed_out.clear()
        while self._total > self.limit and self._memos:
            key, _ = self._memos.popitem(last=False)
            self._total -= self._sizes.pop(key)


def nbytes(value: Any) -> int:
    """Bytes of the arrays and tensors in a nest of mappings and sequences."""
    if isinstance(value, Mapping):
        return sum(nbytes(item) for item in value.values())
    if isinstance(value, list | tuple):
        return sum(nbytes(item) for item in value)
    size = getattr(value, "nbytes", 0)
    return size if isinstance(size, int) else 0


def _value(metric: Metric, pair: ScoredPair, signature: str) -> MetricValue:
    started = time.perf_counter()
    try:
        if pair.hr is None and metric.looks_at_hr():
            raise UnitError("the set has no HR")
        value = float(metric.compute(pair))
    except (UnitError, Unavailable) as fault:
        return MetricValue(None, signature, str(fault), time.perf_counter() - started)
    seconds = time.perf_counter() - started
    if math.isnan(value) or (math.isinf(value) and not metric.may_be_infinite):
        return MetricValue(None, signature, f"{metric.info.name} gave {value}, which is no number", seconds)
    return MetricValue(value, signature, "", seconds)


def _check(sr: Pixels, hr: Pixels | None) -> None:
    for name, image in (("SR", sr), ("HR", hr)):
        if image is not None and (image.ndim not in (2, 3) or image.dtype not in (np.uint8, np.uint16)):
            raise UnitError(
                f"{name}: expected uint8 or uint16 pixels (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
            )
    if hr is None or sr.shape == hr.shape:
        return
    if sr.shape[:2] != hr.shape[:2]:
        raise UnitError(
            f"SR is {sr.shape[0]} x {sr.shape[1]} px but HR is {hr.shape[0]} x {hr.shape[1]} (height x width); "
            "sizes must agree, nothing is resized for scoring"
        )
    raise UnitError(f"SR is {_channels(sr)} but HR is {_channels(hr)}; convert one of them before scoring")


def _channels(image: Pixels) -> str:
    return "gray" if image.ndim == 2 else f"of {image.shape[2]} channels"
