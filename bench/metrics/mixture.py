"""Divisive normalisation of oriented bands by a Gaussian scale mixture (Wainwright and Simoncelli 2000; DIIVINE).

Each coefficient is divided by the local amplitude that its neighbourhood implies: the 3 x 3 pixels around it, its
parent at the next coarser scale, and the other orientations at its place.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.strips import row_strips

Float64 = NDArray[np.float64]
_GUARD = 16
"""Border dropped from the finest level after normalising; halved per level."""
_EPS = 1e-12


def normalised_bands(fine: list[Float64], coarse: list[Float64]) -> tuple[list[Float64], list[Float64]]:
    """Normalise two levels of oriented bands.

    Args:
        fine: The bands of the finer level, all of one shape.
        coarse: Their parents, in the same order.
    Returns:
        The normalised bands of both levels without border and mean; NaN where the mixture is singular.
    """
    from bench.imaging import interpolate

    first = []
    for index, band in enumerate(fine):
        # pyiqa resamples subbands in float32; following it keeps the features equal.
        parent = interpolate(coarse[index].astype(np.float32), band.shape, "bicubic", dtype="float32")
        first.append(_normalised(band, [parent.astype(np.float64)], _others(fine, index), _GUARD))
    second = [_normalised(band, [], _others(coarse, index), _GUARD // 2) for index, band in enumerate(coarse)]
    return first, second


def _others(bands: list[Float64], index: int) -> list[Float64]:
    return bands[:index] + bands[index + 1 :]


def _normalised(band: Float64, parents: list[Float64], others: list[Float64], guard: int) -> Float64:
    height, width = band.shape[0] - 2, band.shape[1] - 2
    strips = list(row_strips(height, width))
    companions = [*parents, *others]
    # The reference code counts the pixels and the parent, but not the other orientations.
    members = 9 + len(parents)
    kept = _neighbours(band, companions, 0, height) if len(strips) == 1 else None
    moment = np.zeros((9 + len(companions), 9 + len(companions)))
    for start, stop in strips:
        rows = kept if kept is not None else _neighbours(band, companions, start, stop)
        moment += rows @ rows.T
    try:
        inverse = np.linalg.inv(_without_negative_eigenvalues(moment / (height * width)))
    except np.linalg.LinAlgError:
        return np.full((height - 2 * guard, width - 2 * guard), np.nan)
    centre = band[1:-1, 1:-1]
    mean = centre.mean()
    out = np.empty((height, width))
    for start, stop in strips:
        rows = kept if kept is not None else _neighbours(band, companions, start, stop)
        with np.errstate(invalid="ignore"):
            amplitude = np.sqrt(np.einsum("ij,ij->j", inverse @ rows, rows) / members).reshape(stop - start, width)
        present = amplitude != 0
        out[start:stop] = (centre[start:stop] - mean) * present / (amplitude * present + _EPS)
    inner = out[guard:-guard, guard:-guard]
    return inner - inner.mean()


def _neighbours(band: Float64, companions: list[Float64], start: int, stop: int) -> Float64:
    """(members, pixels): what surrounds every inner pixel of rows [start, stop)."""
    width = band.shape[1] - 2
    around = [band[start + dy : stop + dy, dx : dx + width] for dy in range(3) for dx in range(3)]
    beside = [plane[start + 1 : stop + 1, 1:-1] for plane in companions]
    return np.stack([part.reshape(-1) for part in (*around, *beside)])


def _without_negative_eigenvalues(matrix: Float64) -> Float64:
    """The matrix with negative eigenvalues set to 0 and the others scaled to keep the trace."""
    values, vectors = np.linalg.eigh(matrix)
    positive = np.maximum(values, 0)
    total = positive.sum()
    values = positive * values.sum() / (total if total != 0 else 1)
    return vectors @ np.diag(values) @ vectors.T
