"""Divisive normalisation of oriented bands by a Gaussian scale mixture (Wainwright and Simoncelli 2000; DIIVINE).

Each coefficient is divided by the local amplitude that its neighbourhood implies: the 3 x 3 pixels around it, its
parent at the next coarser scale, and the other orientations at its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.imaging.resize import resized_rows
from bench.metrics.strips import row_strips

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
_GUARD = 16
"""Border dropped from the finest level after normalising; halved per level."""
_EPS = 1e-12


def normalised_bands(fine: list[Float64], coarse: list[Float64]) -> tuple[list[Float64], list[Float64]]:
    """Normalise two levels of oriented bands.

    Args:
        fine: The bands of the finer level, all of one shape; overwritten, since six more of them are a lot of memory.
        coarse: Their parents, in the same order; overwritten.
    Returns:
        The normalised bands of both levels without border and mean, as views; NaN where the mixture is singular.
    """
    # pyiqa resamples subbands in float32; following it keeps the features equal.
    parents = [band.astype(np.float32) for band in coarse]
    return _normalised(fine, parents, _GUARD), _normalised(coarse, [], _GUARD // 2)


def _normalised(bands: list[Float64], parents: list[Float32], guard: int) -> list[Float64]:
    """The bands of one level, each beside its parent (where there is one) and the other bands, in their own memory."""
    (height, width), members = bands[0].shape, 9 + min(len(parents), 1)
    count = (height - 2) * (width - 2)
    moments = np.zeros((len(bands), members + len(bands) - 1, members + len(bands) - 1))
    for start, stop in row_strips(height - 2, width - 2):
        blocks = [band[start : stop + 2] for band in bands]
        for moment, rows in zip(moments, _families(blocks, parents, (height, width), start), strict=True):
            moment += rows @ rows.T
    means = [band[1:-1, 1:-1].mean() for band in bands]
    inverses = [_inverse(moment / count) for moment in moments]
    # A strip is written over its own place; of what the next one needs of it, the last row but one is kept.
    above: list[Float64] = []
    for start, stop in row_strips(height - 2, width - 2):
        blocks = [band[start : stop + 2].copy() for band in bands]
        for block, row in zip(blocks, above, strict=False):
            block[0] = row
        above = [block[stop - start].copy() for block in blocks]
        for number, rows in enumerate(_families(blocks, parents, (height, width), start)):
            with np.errstate(invalid="ignore"):
                # The reference code counts the pixels and the parent, but not the other orientations.
                amplitude = np.sqrt(np.einsum("ij,ij->j", inverses[number] @ rows, rows) / members)
            amplitude = amplitude.reshape(stop - start, width - 2)
            present = amplitude != 0
            centre = blocks[number][1:-1, 1:-1] - means[number]
            bands[number][start + 1 : stop + 1, 1:-1] = centre * present / (amplitude * present + _EPS)
    inner = [band[1 + guard : -1 - guard, 1 + guard : -1 - guard] for band in bands]
    for band in inner:
        band -= band.mean()
    return inner


def _families(blocks: list[Float64], parents: list[Float32], shape: tuple[int, int], start: int) -> Iterator[Float64]:
    """(members, pixels) for each band of a strip: what surrounds every inner pixel, in the rows from `start` on."""
    for number, block in enumerate(blocks):
        beside = blocks[:number] + blocks[number + 1 :]
        if parents:
            rows = resized_rows(parents[number], shape, start, start + len(block), dtype="float32")
            beside = [rows, *beside]
        yield _neighbours(block, beside)


def _inverse(moment: Float64) -> Float64:
    """The inverse of a moment matrix without its negative eigenvalues; NaN where it is singular."""
    try:
        return np.asarray(np.linalg.inv(_without_negative_eigenvalues(moment)), np.float64)
    except np.linalg.LinAlgError:
        return np.full(moment.shape, np.nan)


def _neighbours(block: Float64, companions: Sequence[Float64 | Float32]) -> Float64:
    """(members, pixels): what surrounds every inner pixel of a block, and lies beside it in its companions."""
    height, width = block.shape[0] - 2, block.shape[1] - 2
    around = [block[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
    beside = [plane[1:-1, 1:-1] for plane in companions]
    return np.stack([part.reshape(-1) for part in (*around, *beside)], dtype=np.float64)


def _without_negative_eigenvalues(matrix: Float64) -> Float64:
    """The matrix with negative eigenvalues set to 0 and the others scaled to keep the trace."""
    values, vectors = np.linalg.eigh(matrix)
    positive = np.maximum(values, 0)
    total = positive.sum()
    values = positive * values.sum() / (total if total != 0 else 1)
    return vectors @ np.diag(values) @ vectors.T
