"""What a metric class implements, and the views of one SR/HR pair that metrics share (each plane is made once)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.api import PLAIN, MetricInfo, MetricKind, Protocol, Scale, Signature, UnitError
from bench.api.protocol import Colour
from bench.api.sizes import Border, border_size
from bench.metrics.weights import WeightsFile, unavailable_files

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W, 3) RGB or (H, W) luma; uint16 is 0..65535 (257 per 8-bit level)."""
Plane = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float64]
"""What kernels compare: uint8 and float64 on the scale 0..255, uint16 on 0..65535."""

VERSION = "v1"
"""Last token of every signature; raised when a kernel of this package changes its numbers."""


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
    scale: Scale
    protocol: Protocol
    memo: dict[str, Any] = field(default_factory=dict)
    reference_memo: dict[str, Any] = field(default_factory=dict)

    def cached(self, key: str, make: Callable[[], Any], *, reference: bool = False) -> Any:
        """The remembered value of `key`, made on first use."""
        memo = self.reference_memo if reference else self.memo
        if key not in memo:
            memo[key] = make()
        return memo[key]

    def plane(self, colour: Colour, *, reference: bool = False) -> Plane:
        """SR (or HR) in one colour, in the smallest exact form.

        Args:
            colour: As in `bench.imaging.to_colour`.
            reference: HR instead of SR.
        Returns:
            The pixels themselves for "rgb" and for a luma image that needs no rounding; uint8 (H, W) for a "-u8"
            colour; float64 (H, W) for unrounded luma. Shared: do not modify.
        Raises:
            UnitError: there is no HR.
        """
        pixels = self.hr if reference else self.sr
        if pixels is None:
            raise UnitError("the set has no HR")
        if colour == "rgb" or (pixels.ndim == 2 and (pixels.dtype == np.uint8 or not colour.endswith("-u8"))):
            return pixels
        return self.cached(f"plane:{colour}", lambda: _make_plane(pixels, colour), reference=reference)


class Metric(ABC):
    """One metric; the constructor is cheap and must not import torch."""

    info: ClassVar[MetricInfo]
    needs_lr: ClassVar[bool] = False
    """Looks at the LR that the method was given."""
    needs_hr: ClassVar[bool | None] = None
    """Looks at HR; None: as its kind says, so only a full-reference metric that compares with LR alone sets it."""
    may_be_infinite: ClassVar[bool] = False
    """+inf is a value (PSNR of identical images); elsewhere it means that there is none."""

    def __init__(self, weights_root: Path | None = None) -> None:
        """Args: weights_root: where parameters lie; None: `TORCH_HOME`, else torch's default."""
        self.weights_root = weights_root

    def looks_at_hr(self) -> bool:
        """Whether it has no value where there is no HR."""
        return self.info.kind is MetricKind.FULL_REFERENCE if self.needs_hr is None else self.needs_hr

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """The parameter files that it reads, where they are known beforehand; no torch import."""
        return ()

    @abstractmethod
    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """How the number is made, such as `psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1`."""

    def unavailable(self) -> str | None:
        """Why this metric cannot be computed here (with the exact file expected), None if it can; no torch import."""
        return unavailable_files(self.weights_files(), self.weights_root)

    @abstractmethod
    def compute(self, pair: ScoredPair) -> float:
        """The value of one image.

        Raises:
            Unavailable: parameters are missing.
            UnitError: this pair cannot be scored (shapes differ, too small, not finite); says what was seen.
        """


class SetMetric(Metric):
    """A metric of whole sets; its value is published with the number of images only."""

    @abstractmethod
    def signature(self, protocol: Protocol, scale: Scale, *, n: int | None = None) -> str:
        """As `Metric.signature`, with the number of images where it is known."""

    @abstractmethod
    def compute_sets(self, sr_images: Sequence[Pixels | Path], hr_images: Sequence[Pixels | Path]) -> float:
        """The value of a set of results against its references, given as pixels or as files.

        Raises:
            Unavailable: parameters are missing.
            UnitError: the sets cannot be compared.
        """

    def compute(self, pair: ScoredPair) -> float:
        """Not defined for one image.

        Raises:
            UnitError: always.
        """
        raise UnitError(f"{self.info.name} compares sets of images, not one image")


class CrossScaleMetric(Metric):
    """A metric of one image at two scales."""

    @abstractmethod
    def compute_pair(self, sr_a: Pixels, sr_b: Pixels) -> float:
        """The value of a method's output at one scale against its output at another, the reference.

        Raises:
            UnitError: the two cannot be compared.
        """

    def compute(self, pair: ScoredPair) -> float:
        """Not defined for one scale.

        Raises:
            UnitError: always.
        """
        raise UnitError(f"{self.info.name} compares two scales, not one image with its reference")


def build_signature(info: MetricInfo, *own: str, protocol: Protocol, scale: Scale) -> str:
    """The signature that every metric uses: its own tokens, then how SR, LR and the mean were made.

    Args:
        info: The metric; the protocol's aggregation applies where it defines one of that name.
        own: Its own tokens: colour, shave, kernel, weights hash; empty ones are left out.
        protocol: The knobs.
        scale: Nominal scale (the downsampler may depend on it).
    Returns:
        The text of a signature, ending in the version.
    """
    averaged = protocol if info.aggregation(protocol.aggregate) else replace(protocol, aggregate=PLAIN)
    made = (*averaged.scoring_tokens(scale), *protocol.pair_tokens(scale))
    return Signature((info.name, *(token for token in own if token), *made, VERSION)).text


def shaved(image: Plane, border: Border, *, smallest: int = 1) -> Plane:
    """The image without a border, as a view.

    Args:
        image: (H, W) or (H, W, 3).
        border: Pixels to ignore on each side, or (above and below, left and right).
        smallest: The smallest side that is still of use.
    Raises:
        UnitError: a side of what is left is below `smallest`.
    """
    top, left = border_size(border)
    height, width = image.shape[0] - 2 * top, image.shape[1] - 2 * left
    if min(height, width) < smallest:
        shave = f"{border} px" if isinstance(border, int) else f"{top} rows and {left} columns"
        raise UnitError(
            f"expected at least {smallest} x {smallest} px after a shave of {shave} on each side, "
            f"got {max(height, 0)} x {max(width, 0)} of {image.shape[0]} x {image.shape[1]} (height x width)"
        )
    return image[top : top + height, left : left + width]


def _make_plane(pixels: Pixels, colour: Colour) -> Plane:
    from bench.imaging import colour as luma

    if pixels.ndim == 3 and colour == "yiq-u8":
        return luma.yiq_luma_u8(pixels)
    if pixels.ndim == 3 and colour == "y601s-u8":
        return luma.studio_luma_u8(pixels)
    values = luma.to_colour(pixels, colour)
    return values.astype(np.uint8) if colour.endswith("-u8") else values
