"""The features of Ma et al. 2017 for single-image super-resolution: block DCT, scale mixture, and patch spectra.

Values are those of pyiqa's `nrqm_arch` (a port of the authors' MATLAB): same zero padding, float32 resampling of
subbands and float32-rounded pyramid kernel. What is done otherwise keeps the values: separable windows for the 27
contrast terms, a binary search for shape parameters, a QR step before the singular values, strips of rows.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.api import UnitError
from bench.imaging.resize import resized_rows
from bench.metrics.base import Plane
from bench.metrics.ggd import GGD
from bench.metrics.mixture import normalised_bands
from bench.metrics.ssim import gaussian, similarity, similarity_by_rows
from bench.metrics.steerable import steerable_pyramid
from bench.metrics.strips import as_levels, row_strips

Float64 = NDArray[np.float64]
ORIENTATIONS = 6
SMALLEST = 84
"""Below this side the coarsest of three scales has too few patches of 5 x 5 for 25 singular values."""
_PATCH, _STRIDE = 7, 3


class MaFeatures(NamedTuple):
    """dct: (18,), mixture: (45,), spectra: (75,); each feeds one forest."""

    dct: Float64
    mixture: Float64
    spectra: Float64


def ma_features(luma: Plane) -> MaFeatures:
    """All features of a luma plane.

    Args:
        luma: (H, W), uint8, uint16 or float64 on 0..255, sides of at least 84.
    Returns:
        The three groups, finite.
    Raises:
        UnitError: too small, or so flat that the mixture is singular.
    """
    if luma.ndim != 2 or min(luma.shape) < SMALLEST:
        raise UnitError(
            f"Ma et al.'s features need sides of at least {SMALLEST} px, got {luma.shape[0]} x {luma.shape[1]} "
            "(height x width)"
        )
    # the planes of the spectra are gone before those of the mixture, which need the most memory, are made
    dct, spectra = _features_by_scale(as_levels(luma) / 255)
    found = MaFeatures(dct, mixture_features(luma), spectra)
    if not all(np.isfinite(group).all() for group in found):
        raise UnitError("Ma et al.'s features are not finite; the image is flat or nearly so")
    return found


def _features_by_scale(plane: Float64) -> tuple[Float64, Float64]:
    """The statistics of DCT blocks and the spectra of patches, of a plane on 0..1 and of its halvings."""
    scales = gaussian_pyramid(plane)
    dct = np.concatenate([dct_features(scale) for scale in scales])
    return dct, np.concatenate([patch_spectrum(scale) for scale in scales])


def gaussian_pyramid(plane: Float64, *, octaves: int = 2) -> list[Float64]:
    """The plane and its halvings: 3 x 3 Gaussian of sigma 0.5, zero border, every second pixel from the second on."""
    window = gaussian(3, 0.5)
    kernel = np.outer(window, window).astype(np.float32).astype(np.float64)
    planes = [plane]
    for _ in range(octaves):
        smooth = cv2.filter2D(planes[-1], cv2.CV_64F, kernel, borderType=cv2.BORDER_CONSTANT)
        planes.append(np.ascontiguousarray(smooth[1::2, 1::2], dtype=np.float64))
    return planes


def dct_features(plane: Float64) -> Float64:
    """Six statistics of overlapping 7 x 7 DCT blocks (stride 3, zero border): shape, variation and orientation."""
    height, width = plane.shape
    pads = [((math.ceil(n / _STRIDE) - 1) * _STRIDE + _PATCH - n) for n in (height, width)]
    padded = np.pad(plane, [(pad // 2, pad - pad // 2) for pad in pads])
    windows = sliding_window_view(padded, (_PATCH, _PATCH))[::_STRIDE, ::_STRIDE]
    columns = [
        _block_statistics(windows[start:stop].reshape(-1, _PATCH * _PATCH) @ _DCT_2D)
        for start, stop in row_strips(windows.shape[0], windows.shape[1], values=1 << 14)
    ]
    shape, variation, orientation = np.concatenate(columns, axis=1)
    low = math.ceil(0.1 * shape.size) + 1
    high = math.floor(0.9 * shape.size)
    return np.array(
        [
            np.partition(shape, low - 1)[:low].mean(),
            shape.mean(),
            np.partition(variation, high)[high:].mean(),
            variation.mean(),
            np.partition(orientation, high)[high:].mean(),
            orientation.mean(),
        ]
    )


def mixture_features(luma: Plane) -> Float64:
    """45 features of the oriented bands: 18 shapes, 12 contrasts with the high-pass plane, 15 between orientations."""
    (fine, coarse), with_high = _bands_and_contrasts(luma)
    first, second = normalised_bands(fine, coarse)
    shapes = [_shape(band.ravel()) for band in (*first, *second)]
    shapes += [_shape(np.concatenate([a.ravel(), b.ravel()])) for a, b in zip(first, second, strict=True)]
    between = [
        similarity(first[i], first[j], clamp=True).contrast
        for i in range(ORIENTATIONS)
        for j in range(i + 1, ORIENTATIONS)
    ]
    return np.array([*shapes, *with_high, *between])


def _bands_and_contrasts(luma: Plane) -> tuple[list[list[Float64]], list[float]]:
    """The oriented bands of two levels, and the contrast term of each with the high-pass plane."""
    pyramid = steerable_pyramid(luma, levels=2, orientations=ORIENTATIONS)
    size, high = (luma.shape[0], luma.shape[1]), pyramid.high
    contrasts = []
    for band in (*pyramid.levels[0], *pyramid.levels[1]):

        def rows(start: int, stop: int, band: Float64 = band) -> Float64:
            return resized_rows(band, size, start, stop, dtype="float32").astype(np.float64)

        contrasts.append(similarity_by_rows(rows, high, clamp=True).contrast)
    return pyramid.levels, contrasts


def patch_spectrum(plane: Float64, *, side: int = 5) -> Float64:
    """The singular values, falling, of the matrix of all distinct 5 x 5 patches (zero-padded right and below)."""
    height, width = plane.shape
    rows, columns = -(height // -side), -(width // -side)
    padded = np.pad(plane, ((0, rows * side - height), (0, columns * side - width)))
    patches = padded.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows * columns, side * side)
    return np.linalg.svd(np.linalg.qr(patches, mode="r"), compute_uv=False)


def _shape(values: Float64) -> float:
    """The generalised-Gaussian shape of one sample; NaN where it is not finite."""
    if not np.isfinite(values).all():
        return math.nan
    return float(_shapes(values[None])[0])


def _shapes(rows: Float64) -> Float64:
    """The generalised-Gaussian shape of every row; 10 (the end of the table) for a constant one."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", centred, centred) / (rows.shape[1] - 1)
    return GGD.nearest(variance / (np.abs(centred, out=centred).mean(axis=1) ** 2 + 1e-7))


def _block_statistics(coefficients: Float64) -> Float64:
    """(blocks, 49) DCT coefficients -> (3, blocks): shape, coefficient of variation, variance over orientations."""
    magnitude = np.abs(coefficients)
    oriented = np.stack([_variation(magnitude[:, index], 1e-8) for index in _ORIENTED])
    return np.stack([_shapes(coefficients[:, 1:]), _variation(magnitude[:, 1:], 1e-7), oriented.var(axis=0, ddof=1)])


def _variation(magnitude: Float64, eps: float) -> Float64:
    return magnitude.std(axis=1, ddof=1) / (magnitude.mean(axis=1) + eps)


def _dct_matrix(n: int) -> Float64:
    """Orthonormal DCT-II, rows are frequencies."""
    k, x = np.arange(n)[:, None], np.arange(n)[None, :]
    basis = np.sqrt(2 / n) * np.cos(np.pi * (2 * x + 1) * k / (2 * n))
    basis[0] /= math.sqrt(2)
    return basis


_DCT_2D = np.kron(_dct_matrix(_PATCH), _dct_matrix(_PATCH)).T
"""(49, 49): a flattened block times this gives its flattened coefficients."""


def _oriented(spans: dict[int, tuple[int, int]], *, transpose: bool = False) -> NDArray[np.intp]:
    """Flat positions of the coefficients row -> [from, to) of a 7 x 7 block."""
    cells = [(row, column) for row, (start, stop) in spans.items() for column in range(start, stop)]
    return np.array([column * _PATCH + row if transpose else row * _PATCH + column for row, column in cells])


_STEEP = {0: (1, 7), 1: (2, 7), 2: (4, 7), 3: (5, 7)}
_ORIENTED = (
    _oriented(_STEEP),
    _oriented({1: (1, 2), 2: (2, 4), 3: (2, 5), 4: (3, 7), 5: (4, 7), 6: (4, 7)}),
    _oriented(_STEEP, transpose=True),
)
