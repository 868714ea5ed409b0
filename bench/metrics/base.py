"""What a metric class implements, and the views of one SR/HR pair that metrics share (each plane is made once)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.api import MetricInfo, Protocol

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W, 3) RGB or (H, W) luma; uint16 is 0..65535 (257 per 8-bit level)."""


@dataclass
class ScoredPair:
    """One image to score.

    Attributes:
        sr: The result, already rounded as the protocol says; a luma plane under `plane="y"`.
        hr: The reference of the same shape, 8 bit; None for an LR-only set.
        lr: float32 (h, w, 3) in [0, 1], what the method was given; None where it is not at hand.
        scale: Nominal scale.
        protocol: The knobs.
        memo: Planes and features of `sr`, dropped with the pair.
        reference_memo: Planes and features of `hr`, kept by the scorer across methods.
    """

    sr: Pixels
    hr: Pixels | None
    lr: NDArray[np.float32] | None
    scale: float
    protocol: Protocol
    memo: dict[str, Any] = field(default_factory=dict)
    reference_memo: dict[str, Any] = field(default_factory=dict)

    def cached(self, key: str, make: Callable[[], Any], *, reference: bool = False) -> Any:
        """The remembered value of `key`, made on first use."""
        memo = self.reference_memo if reference else self.memo
        if key not in memo:
            memo[key] = make()
        return memo[key]


class Metric(ABC):
    """One metric; the constructor is cheap and must not import torch."""

    info: ClassVar[MetricInfo]
    needs_lr: ClassVar[bool] = False

    def __init__(self, weights_root: Path | None = None) -> None:
        """Args: weights_root: where parameters lie; None: `TORCH_HOME`, else torch's default."""
        self.weights_root = weights_root

    @abstractmethod
    def signature(self, protocol: Protocol, scale: float) -> str:
        """How the number is made, such as `psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1`."""

    def unavailable(self) -> str | None:
        """Why this metric cannot be computed here (with the exact file expected), None if it can; no torch import."""
        return None

    @abstractmethod
    def compute(self, pair: ScoredPair) -> float:
        """The value of one image.

        Raises:
            Unavailable: parameters are missing.
            UnitError: this pair cannot be scored (shapes differ, too small, not finite); says what was seen.
        """
