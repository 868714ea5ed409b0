"""Oriented band-pass planes of a steerable pyramid (Simoncelli and Freeman 1995; matlabPyrTools' buildSCFpyr).

Only what Ma et al.'s features read: the high-pass residue and the real parts of the oriented bands of two levels. Masks
are tabulated and rounded to float32 as in pyiqa, so that features agree with its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, fftshift, ifft2, ifftshift

Float64 = NDArray[np.float64]
Complex = NDArray[np.complex128]

_ANGLE_STEPS = 1024
_RADIUS_STEPS = 256


class Pyramid(NamedTuple):
    """high: (H, W) residue; levels: for each level its oriented bands, (H, W), then about half that, and so on."""

    high: Float64
    levels: list[list[Float64]]


def steerable_pyramid(image: Float64, *, levels: int = 2, orientations: int = 6) -> Pyramid:
    """Decompose a luma plane.

    Args:
        image: (H, W), sides of at least 2^(levels + 2).
        levels: How many octaves.
        orientations: Bands per octave.
    Returns:
        The planes, float64.
    Raises:
        ValueError: the image is too small for so many levels.
    """
    if levels > math.floor(math.log2(min(image.shape))) - 2:
        raise ValueError(f"an image of {image.shape[0]} x {image.shape[1]} px is too small for {levels} levels")
    log_radius, angle = _polar_grid(*image.shape)
    edge, fall = _cosine_edge()
    rise = np.sqrt(1 - fall**2)
    spectrum = fftshift(fft2(image))
    high = _plane(spectrum * _mask(log_radius, edge, fall))
    spectrum = spectrum * _mask(log_radius, edge, rise)
    found = []
    for level in range(levels):
        edge = edge - 1
        if level:
            window = _centre(spectrum.shape)
            log_radius, angle, spectrum = log_radius[window], angle[window], spectrum[window]
            spectrum = spectrum * _mask(log_radius, edge + 1, rise)
        octave = spectrum * _mask(log_radius, edge, fall)
        octave *= (-1j) ** (orientations - 1)
        found.append([_plane(octave * mask) for mask in _angle_masks(angle, orientations)])
    return Pyramid(high, found)


def _plane(spectrum: Complex) -> Float64:
    values: Any = ifft2(ifftshift(spectrum))
    return np.ascontiguousarray(values.real, dtype=np.float64)


def _mask(grid: Float64, positions: Float64, values: Float64) -> NDArray[np.float32]:
    return np.interp(grid, positions, values).astype(np.float32)


def _angle_masks(angle: Float64, orientations: int) -> Iterator[NDArray[np.float32]]:
    order = orientations - 1
    gain = 2 ** (2 * order) * math.factorial(order) ** 2 / (orientations * math.factorial(2 * order))
    positions = np.pi * np.arange(-(2 * _ANGLE_STEPS + 1), _ANGLE_STEPS + 2) / _ANGLE_STEPS
    wrapped = (positions + np.pi) % (2 * np.pi) - np.pi
    lobe = 2 * math.sqrt(gain) * np.cos(positions) ** order * (np.abs(wrapped) < np.pi / 2)
    for b in range(orientations):
        yield _mask(angle, positions + np.pi * b / orientations, lobe)


def _cosine_edge() -> tuple[Float64, Float64]:
    """A raised-cosine transition of one octave around 2^-0.5, as (log2 radius, amplitude) for np.interp."""
    phase = np.pi * np.arange(-_RADIUS_STEPS - 1, 2) / 2 / _RADIUS_STEPS
    power = np.cos(phase) ** 2
    power[0], power[-1] = power[1], power[-2]
    return -0.5 + 2 / np.pi * (phase + np.pi / 4), np.sqrt(power)


def _polar_grid(height: int, width: int) -> tuple[Float64, Float64]:
    """log2 of the frequency radius (1 at the Nyquist frequency of an axis) and the angle, zero frequency centred."""
    rows, columns = ((np.arange(n) - n // 2) / (n / 2) for n in (height, width))
    radius = np.hypot(rows[:, None], columns[None, :])
    radius[height // 2, width // 2] = radius[height // 2, width // 2 - 1]
    return np.log2(radius), np.arctan2(rows[:, None], columns[None, :])


def _centre(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The low half of a centred spectrum, as buildSCFpyr crops it."""
    slices = []
    for n in shape[:2]:
        length = math.ceil((n - 0.5) / 2)
        start = math.ceil((n + 0.5) / 2) - math.ceil((length + 0.5) / 2)
        slices.append(slice(start, start + length))
    return slices[0], slices[1]
