"""Shares of improvement, omission and hallucination: what became of the detail that enlarging LR does not give.

After opensr-test 1.3.3 (Aybar et al., A Comprehensive Benchmark for Optical Remote Sensing Image Super-Resolution, IEEE
GRSL 2024): its distance "nd" per pixel, its automatic threshold and its softmin, without its harmonisation (which
undoes shifts in colour and place between two sensors; here LR is made from HR) and without its border of 16 px.

Each pixel has three distances: reference (enlarged LR to HR), improvement (SR to HR), omission (SR to enlarged LR), the
last two in units of the first. A result at HR improves, one at the enlarged LR omits, one far from both hallucinates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, UnitError, sr_size
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature
from bench.metrics.strips import as_levels, row_strips

Float64 = NDArray[np.float64]
TEMPERATURE = 0.25
"""Of the softmin; opensr-test's `correctness_temperature`."""
RATE = 0.05
"""Of the exponentials; opensr-test's `im_score`, `om_score` and `ha_score`."""
QUANTILE = 0.75
"""Of the reference distance: pixels in which all three distances are at most that are not looked at ("auto")."""
EPSILON = 1e-8
_PAPER = "Aybar et al., A Comprehensive Benchmark for Optical Remote Sensing Image Super-Resolution, IEEE GRSL 2024"


class Shares(NamedTuple):
    """Means over the pixels that are looked at; together 1."""

    improvement: float
    omission: float
    hallucination: float


class _Share(Metric):
    """One of the three shares; they are computed together, once per image."""

    needs_lr = True

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """improvement|rgb|nd|up:bilinear|threshold:q75|rate:0.05|softmin:0.25|shave:0|..."""
        how = (f"threshold:q{QUANTILE * 100:g}", f"rate:{RATE:g}", f"softmin:{TEMPERATURE:g}")
        return build_signature(self.info, "rgb", "nd", "up:bilinear", *how, "shave:0", protocol=protocol, scale=scale)

    def compute(self, pair: ScoredPair) -> float:
        """The share, 0 to 1.

        Raises:
            UnitError: HR or LR is not at hand, or the three images are the same everywhere.
        """
        if pair.lr is None:
            raise UnitError("the LR image is not at hand")
        sr, hr, lr = pair.plane("rgb"), pair.plane("rgb", reference=True), pair.lr
        shares: Shares = pair.cached("correctness", lambda: correctness(sr, hr, lr, pair.scale))
        return float(getattr(shares, self.info.name))


def _info(name: str, direction: Direction, meaning: str) -> MetricInfo:
    return MetricInfo(
        name=name,
        display=name.capitalize(),
        kind=MetricKind.FULL_REFERENCE,
        direction=direction,
        decimals=3,
        summary=f"share of {meaning} (with the two other shares it makes 1)",
        paper=_PAPER,
    )


class Improvement(_Share):
    """What the result has of the detail that LR lacks."""

    info: ClassVar[MetricInfo] = _info(
        "improvement", Direction.HIGHER, "detail that HR has, the enlarged LR has not and the result gives back"
    )


class Omission(_Share):
    """What the result left as LR has it."""

    info: ClassVar[MetricInfo] = _info(
        "omission", Direction.LOWER, "detail that HR has and the result, like the enlarged LR, has not"
    )


class Hallucination(_Share):
    """What the result has that neither HR nor LR has."""

    info: ClassVar[MetricInfo] = _info(
        "hallucination", Direction.LOWER, "detail of the result that neither HR nor the enlarged LR has"
    )


def correctness(sr: Plane, hr: Plane, lr: NDArray[np.float32], scale: Scale) -> Shares:
    """The three shares of one image.

    Args:
        sr, hr: (H, W, 3) or (H, W) of one shape; uint8, or uint16 (257 per level).
        lr: (h, w, 3) in [0, 1], what the method was given; of gray images one channel is looked at.
        scale: Nominal; says how far the enlarged LR reaches beyond an HR that was cut.
    Raises:
        UnitError: no pixel differs in any two of the three images.
    """
    lines = _Lines(sr, hr, _enlarged_rows(lr if sr.ndim == 3 else lr[:, :, :1], hr, scale))
    limit = _threshold(lines)
    sums, count = np.zeros(3), 0
    for strip in lines.strips():
        distances = np.stack([strip.reference, strip.improvement, strip.omission])
        kept = distances[:, (distances > limit).any(axis=0)]
        sums += _softmin(*_scores(*kept)).sum(axis=1)
        count += kept.shape[1]
    if count == 0:
        raise UnitError("the result, HR and the enlarged LR are the same everywhere, so there is no detail to judge")
    return Shares(*(float(value) for value in sums / count))


class _Distances(NamedTuple):
    """(rows, W) each."""

    reference: Float64
    improvement: Float64
    omission: Float64


class _Enlarged(NamedTuple):
    """LR, enlarged along its rows; the columns follow strip by strip, so that memory is that of a strip."""

    wide: Float64
    """(h, W, C)."""
    columns: csr_array
    """(H, h) sparse."""

    def rows(self, start: int, stop: int) -> Float64:
        """Rows of the enlarged image, (stop - start, W, C)."""
        flat = self.columns[start:stop] @ self.wide.reshape(len(self.wide), -1)
        return flat.reshape(stop - start, *self.wide.shape[1:])


@dataclass(frozen=True)
class _Lines:
    """Three images of one size, strip by strip, on the scale 0..1."""

    sr: Plane
    hr: Plane
    lr: _Enlarged

    def references(self) -> Iterator[tuple[int, int, Float64]]:
        """(start, stop, distance of the enlarged LR to HR)."""
        for start, stop in row_strips(*self.hr.shape[:2]):
            yield start, stop, _distance(self.lr.rows(start, stop), _unit(self.hr[start:stop]))

    def strips(self) -> Iterator[_Distances]:
        """All three distances."""
        for start, stop in row_strips(*self.hr.shape[:2]):
            lr, sr, hr = self.lr.rows(start, stop), _unit(self.sr[start:stop]), _unit(self.hr[start:stop])
            yield _Distances(_distance(lr, hr), _distance(sr, hr), _distance(sr, lr))


def _enlarged_rows(lr: NDArray[np.float32], hr: Plane, scale: Scale) -> _Enlarged:
    """LR at the size that its method was asked for, cut to HR from the top left, as the result is."""
    from bench.imaging import interpolate
    from bench.imaging.weights import kernel_matrix

    height, width = lr.shape[:2]
    asked = sr_size((height, width), scale)
    full = max(asked[0], hr.shape[0]), max(asked[1], hr.shape[1])
    wide = interpolate(lr, (height, full[1]), "bilinear")[:, : hr.shape[1]]
    return _Enlarged(np.ascontiguousarray(wide), kernel_matrix(height, full[0], "bilinear", True)[: hr.shape[0]])


def _unit(strip: Plane) -> Float64:
    """(rows, W, C) on the scale 0..1."""
    levels = as_levels(strip) / 255
    return levels if levels.ndim == 3 else levels[:, :, None]


def _distance(x: Float64, y: Float64) -> Float64:
    """The normalised difference "nd" per pixel: |x - y| / |x + y + epsilon|, mean over channels."""
    return (np.abs(x - y) / np.abs(x + y + EPSILON)).mean(axis=2)


def _threshold(lines: _Lines) -> float:
    """The reference distance of which a share QUANTILE of all pixels has no larger one."""
    values = np.empty(lines.hr.shape[:2])
    for start, stop, distance in lines.references():
        values[start:stop] = distance
    flat = values.reshape(-1)
    # the k-th smallest, k counted from 1 and cut, as torch's kthvalue in opensr-test
    place = max(int(QUANTILE * flat.size), 1) - 1
    flat.partition(place)
    return float(flat[place])


def _scores(reference: Float64, improvement: Float64, omission: Float64) -> Float64:
    """Distances to the three ways in which a pixel can end, (3, n); the nearer, the smaller.

    A pixel in which LR needs no improvement and the result differs is infinitely far from both: hallucinated.
    """
    with np.errstate(divide="ignore"):
        to_hr, to_lr = improvement / reference, omission / reference
    # how far the result is off the line between the enlarged LR and HR
    damp = 1 - np.exp(-RATE * (to_hr + to_lr - 1))
    return np.stack([to_hr + to_lr * damp, to_lr + to_hr * damp, np.exp(-RATE * to_hr * to_lr)])


def _softmin(improvement: Float64, omission: Float64, hallucination: Float64) -> Float64:
    """exp(-score / T) as shares of their sum, (3, n); the last score is at most 1, so the sum is never 0."""
    weights = np.exp(-np.stack([improvement, omission, hallucination]) / TEMPERATURE)
    return weights / weights.sum(axis=0)
