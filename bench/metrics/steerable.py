"""Oriented band-pass planes of a steerable pyramid (Simoncelli and Freeman 1995; matlabPyrTools' buildSCFpyr).

Only what Ma et al.'s features read: the high-pass residue and the real parts of the oriented bands of two levels. Masks
are tabulated and rounded to float32 as in pyiqa, so that features agree with its own; they are made strip by strip.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2, ifftshift

from bench.metrics.base import Plane
from bench.metrics.strips import as_levels, row_strips

Float64 = NDArray[np.float64]
Complex = NDArray[np.complex128]

_ANGLE_STEPS = 1024
_RADIUS_STEPS = 256


class Pyramid(NamedTuple):
    """high: (H, W) residue; levels: for each level its oriented bands, (H, W), then about half that, and so on."""

    high: Float64
    levels: list[list[Float64]]


def steerable_pyramid(image: Plane, *, levels: int = 2, orientations: int = 6) -> Pyramid:
    """Decompose a luma plane.

    Args:
        image: (H, W), sides of at least 2^(levels + 2).
        levels: How many octaves.
        orientations: Bands per octave.
    Returns:
        The planes, float64. Beside them, memory for two spectra of the image is needed.
    Raises:
        ValueError: the image is too small for so many levels.
    """
    if levels > math.floor(math.log2(min(image.shape))) - 2:
        raise ValueError(f"an image of {image.shape[0]} x {image.shape[1]} px is too small for {levels} levels")
    grid = _Frequencies(*(ifftshift((np.arange(n) - n // 2) / (n / 2)) for n in image.shape))
    edge, fall = _cosine_edge()
    rise = np.sqrt(1 - fall**2)
    spectrum: Complex = np.asarray(fft2(as_levels(image)))
    high = _plane(spectrum, grid, lambda radius, _: [_mask(radius, edge, fall)])
    for start, stop in row_strips(*spectrum.shape):
        spectrum[start:stop] *= _mask(grid.log_radius(start, stop), edge, rise)
    octaves: list[list[Float64]] = []
    for level in range(levels):
        edge = edge - 1
        if level:
            centre = [_centre(n) for n in spectrum.shape]
            spectrum, grid = spectrum[np.ix_(*centre)], grid.at(*centre)
            for start, stop in row_strips(*spectrum.shape):
                spectrum[start:stop] *= _mask(grid.log_radius(start, stop), edge + 1, rise)
        octaves.append([_band(spectrum, grid, edge, fall, number, orientations) for number in range(orientations)])
    return Pyramid(high, octaves)


class _Frequencies(NamedTuple):
    """The frequencies of a spectrum's rows and columns, in its own order, 1 at the Nyquist frequency of an axis."""

    rows: Float64
    columns: Float64

    def log_radius(self, start: int, stop: int) -> Float64:
        """log2 of the radius in rows [start, stop)."""
        radius = np.hypot(self.rows[start:stop, None], self.columns[None, :])
        if start == 0:  # the zero frequency comes first; it takes its neighbour's radius
            radius[0, 0] = radius[0, -1]
        return np.log2(radius)

    def angle(self, start: int, stop: int) -> Float64:
        """The angle in rows [start, stop)."""
        return np.arctan2(self.rows[start:stop, None], self.columns[None, :])

    def at(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> _Frequencies:
        """Some of the rows and columns."""
        return _Frequencies(self.rows[rows], self.columns[columns])


def _band(
    spectrum: Complex, grid: _Frequencies, edge: Float64, fall: Float64, number: int, orientations: int
) -> Float64:
    """One oriented band of an octave."""
    positions, lobe = _lobe(orientations)
    turned = positions + np.pi * number / orientations
    phase = (-1j) ** (orientations - 1)

    def factors(log_radius: Float64, angle: Callable[[], Float64]) -> list[Any]:
        return [_mask(log_radius, edge, fall), phase, _mask(angle(), turned, lobe)]

    return _plane(spectrum, grid, factors)


def _plane(
    spectrum: Complex, grid: _Frequencies, factors: Callable[[Float64, Callable[[], Float64]], list[Any]]
) -> Float64:
    """The real part of a spectrum times factors, which are made strip by strip from log2 radius and angle."""
    masked = np.empty_like(spectrum)
    for start, stop in row_strips(*spectrum.shape):
        part = masked[start:stop]
        np.copyto(part, spectrum[start:stop])
        for factor in factors(grid.log_radius(start, stop), partial(grid.angle, start, stop)):
            part *= factor
    values: Any = ifft2(masked, overwrite_x=True)
    return np.ascontiguousarray(values.real, dtype=np.float64)


def _mask(grid: Float64, positions: Float64, values: Float64) -> NDArray[np.float32]:
    return np.interp(grid, positions, values).astype(np.float32)


def _lobe(orientations: int) -> tuple[Float64, Float64]:
    """The amplitude over the angle of the first band, as (angles, amplitudes) for np.interp."""
    order = orientations - 1
    gain = 2 ** (2 * order) * math.factorial(order) ** 2 / (orientations * math.factorial(2 * order))
    positions = np.pi * np.arange(-(2 * _ANGLE_STEPS + 1), _ANGLE_STEPS + 2) / _ANGLE_STEPS
    wrapped = (positions + np.pi) % (2 * np.pi) - np.pi
    return positions, 2 * math.sqrt(gain) * np.cos(positions) ** order * (np.abs(wrapped) < np.pi / 2)


def _cosine_edge() -> tuple[Float64, Float64]:
    """A raised-cosine transition of one octave around 2^-0.5, as (log2 radius, amplitude) for np.interp."""
    phase = np.pi * np.arange(-_RADIUS_STEPS - 1, 2) / 2 / _RADIUS_STEPS
    power = np.cos(phase) ** 2
    power[0], power[-1] = power[1], power[-2]
    return -0.5 + 2 / np.pi * (phase + np.pi / 4), np.sqrt(power)


def _centre(n: int) -> NDArray[np.intp]:
    """The places of the low half of an axis of a spectrum, in its own order, as buildSCFpyr crops it."""
    length = math.ceil((n - 0.5) / 2)
    return ifftshift((np.arange(length) - length // 2) % n)
