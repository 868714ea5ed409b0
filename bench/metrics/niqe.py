"""NIQE (Mittal et al. 2013), value-preserving with respect to pyiqa, in strips of one row of blocks.

NIQE is ill-conditioned on flat and saturated regions: there the sign of I - mu is decided by how the 7 x 7 kernel is
rounded, which moves the result by up to 5 %. So the kernel is part of the signature: pyiqa's, two-dimensional and
rounded to float32. The result still differs from the authors' MATLAB by up to 5 % on such images.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.api import Direction, MetricInfo, MetricKind, Protocol, Scale, Unavailable, UnitError
from bench.metrics.base import Metric, Plane, ScoredPair, build_signature, shaved
from bench.metrics.download import obtain
from bench.metrics.ggd import fit_aggd, signed_moments
from bench.metrics.matfile import read_mat
from bench.metrics.strips import load_levels
from bench.metrics.weights import WeightsFile, hash_token, pyiqa_file

Float64 = NDArray[np.float64]
BLOCK = 96
PARAMETERS = pyiqa_file("niqe_modelparameters.mat")
"""From the authors' release; the PIRM 2018 and BasicSR files hold the same numbers."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_EPS = float(np.finfo(np.float64).eps)


class NIQE(Metric):
    """NIQE of the protocol's luma and border."""

    info = MetricInfo(
        name="niqe",
        display="NIQE",
        kind=MetricKind.NO_REFERENCE,
        direction=Direction.LOWER,
        decimals=2,
        effect=0.1,
        summary="distance of local statistics from those of natural images",
        paper="Mittal et al., Making a completely blind image quality analyzer, 2013",
        smallest_side=BLOCK,
    )

    def signature(self, protocol: Protocol, scale: Scale) -> str:
        """niqe|luma|k:f32|w:hash|shave|..."""
        own = (protocol.nr_colour, *niqe_tokens(self.weights_root), f"shave:{protocol.nr_shave}")
        return build_signature(self.info, *own, protocol=protocol, scale=scale)

    def weights_files(self) -> tuple[WeightsFile, ...]:
        """The natural model of the authors' release."""
        return (PARAMETERS,)

    def compute(self, pair: ScoredPair) -> float:
        """NIQE, lower is better.

        Raises:
            Unavailable: the parameters are missing.
            UnitError: a side is below 96 px, or the image is so flat that its statistics are undefined.
        """
        if pair.protocol.nr_colour == "rgb":
            raise UnitError("NIQE reads luma: set the protocol's nr_colour to yiq-u8, y601s-u8 or y601s")
        pristine = load_parameters(self.weights_root)
        return niqe(shaved(pair.plane(pair.protocol.nr_colour), pair.protocol.nr_shave), pristine)


class Pristine(NamedTuple):
    """The Gaussian of natural images: mean (36,) and covariance (36, 36)."""

    mean: Float64
    covariance: Float64


def niqe(luma: Plane, pristine: Pristine) -> float:
    """NIQE of a luma plane.

    Args:
        luma: (H, W), sides of at least 96; whole levels 0..255.
        pristine: From `load_parameters`.
    Returns:
        The distance, finite.
    Raises:
        UnitError: too small, or no block has defined statistics.
    """
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    if luma.ndim != 2 or min(rows, columns) < 1:
        raise UnitError(
            f"NIQE needs sides of at least {BLOCK} px (one block), got {luma.shape[0]} x {luma.shape[1]} "
            "(height x width)"
        )
    luma = luma[: rows * BLOCK, : columns * BLOCK]
    features = np.hstack([block_features(luma, BLOCK), block_features(_halved(luma), BLOCK // 2)])
    complete = features[~np.isnan(features).any(axis=1)]
    if complete.shape[0] == 0:
        raise UnitError("NIQE is undefined: every block is flat or saturated")
    mean = np.nanmean(features, axis=0)
    covariance = np.cov(complete, rowvar=False) if complete.shape[0] > 1 else np.zeros_like(pristine.covariance)
    inverse = np.linalg.pinv((pristine.covariance + covariance) / 2, rcond=len(mean) * _EPS)
    difference = pristine.mean - mean
    value = math.sqrt(max(float(difference @ inverse @ difference), 0.0))
    if not math.isfinite(value):
        raise UnitError("NIQE is undefined: the block statistics are not finite")
    return value


def block_features(plane: Plane, block: int) -> Float64:
    """The 18 features of every block of one scale.

    Args:
        plane: (H, W), multiples of `block`.
        block: Side of a block.
    Returns:
        (blocks, 18), blocks row by row; NaN where a block has no negative or no positive coefficient.
    """
    edge = _KERNEL.shape[0] // 2
    height, width = plane.shape
    strips = np.empty((3, block + 2 * edge, width))
    blocks = _BlockMoments(block)
    moments = []
    for start in range(0, height, block):
        top, bottom = max(start - edge, 0), min(start + block + edge, height)
        coefficients = _normalised(plane[top:bottom], strips[:, : bottom - top])[start - top : start - top + block]
        moments += [blocks.of(coefficients[:, left : left + block]) for left in range(0, width, block)]
    return _features(np.array(moments))


class _BlockMoments:
    """Moments of a block and of its products with four neighbours, through buffers that stay in the cache."""

    def __init__(self, block: int) -> None:
        self._wrapped = np.empty((block + 1, block + 2))
        """The block in the lower middle, its last row above, its last and first columns on either side."""
        self._values = np.empty((block, block))
        self._part = np.empty(block * block)

    def of(self, block: Float64) -> list[tuple[float, ...]]:
        """(5, 6): the block itself, then its products with itself rolled by each of the shifts."""
        wrapped, values = self._wrapped, self._values
        n = values.shape[0]
        wrapped[1:, 1:-1] = block
        wrapped[0, 1:-1] = block[-1]
        wrapped[:, 0], wrapped[:, -1] = wrapped[:, -2], wrapped[:, 1]
        np.copyto(values, block)
        found = [signed_moments(values.reshape(-1), self._part)]
        for dy, dx in _SHIFTS:
            np.multiply(block, wrapped[1 - dy : n + 1 - dy, 1 - dx : n + 1 - dx], out=values)
            found.append(signed_moments(values.reshape(-1), self._part))
        return found


def _features(moments: Float64) -> Float64:
    fit = fit_aggd(moments[:, 0])
    columns = [fit.shape, (fit.left + fit.right) / 2]
    for index in range(1, 1 + len(_SHIFTS)):
        product = fit_aggd(moments[:, index])
        columns += [product.shape, product.mean, product.left, product.right]
    return np.stack(columns, axis=1)


def _normalised(plane: Plane, buffers: Float64) -> Float64:
    """Mean-subtracted, contrast-normalised coefficients in the first buffer; replicated borders."""
    image, mean, spread = buffers
    load_levels(plane, image)
    cv2.filter2D(image, cv2.CV_64F, _KERNEL, dst=mean, borderType=cv2.BORDER_REPLICATE)
    np.multiply(image, image, out=spread)
    image -= mean
    # In place: the filter keeps the rows that it still needs.
    cv2.filter2D(spread, cv2.CV_64F, _KERNEL, dst=spread, borderType=cv2.BORDER_REPLICATE)
    mean *= mean
    spread -= mean
    np.abs(spread, out=spread)
    spread += _EPS
    np.sqrt(spread, out=spread)
    spread += 1
    image /= spread
    return image


def _halved(luma: Plane) -> Float64:
    from bench.imaging import imresize

    return imresize(luma, (luma.shape[0] // 2, luma.shape[1] // 2))


def _kernel(length: int = 7, sigma: float = 7 / 6) -> Float64:
    x = np.arange(length) - (length - 1) / 2
    window = np.exp(-(x[:, None] ** 2 + x**2) / (2 * sigma * sigma))
    return (window / window.sum()).astype(np.float32).astype(np.float64)


_KERNEL = _kernel()


def niqe_tokens(weights_root: Path | None) -> tuple[str, str]:
    """The signature tokens of the kernel and of the parameters."""
    return "k:f32", hash_token((PARAMETERS,), weights_root)


def load_parameters(weights_root: Path | None) -> Pristine:
    """Read the parameters of natural images (keys mu_prisparam and cov_prisparam of the released .mat file).

    Raises:
        Unavailable: the file is missing or is another one; names it.
    """
    return _read_parameters(obtain(PARAMETERS, weights_root))


@lru_cache(maxsize=4)
def _read_parameters(path: Path) -> Pristine:
    values = read_mat(path, "NIQE's parameter file")
    try:
        mean, covariance = np.ravel(values["mu_prisparam"]), values["cov_prisparam"]
    except KeyError as fault:
        raise Unavailable(f"{path} is not NIQE's parameter file: it has no variable {fault}") from fault
    if mean.shape != (36,) or covariance.shape != (36, 36):
        raise Unavailable(
            f"{path}: expected a mean of 36 and a covariance of 36 x 36, got {mean.shape}, {covariance.shape}"
        )
    return Pristine(mean.astype(np.float64), covariance.astype(np.float64))
