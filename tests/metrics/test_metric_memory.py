"""Memory that metrics need beside their two images: bytes per pixel, from what a larger image needs more."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from bench.api import get_protocol
from bench.metrics import Scorer
from bench.metrics.niqe import Pristine, niqe
from bench.metrics.pi import PI
from bench.metrics.selfssim import self_ms_ssim_nearest, self_ssim

CANVAS = 12
"""Bytes of a pixel of a float32 canvas."""
Pixels = np.ndarray


WIDTH, HEIGHT = 4608, 288
"""So wide that columns, too, are worked on in strips."""


def photo(height: int) -> Pixels:
    return np.ascontiguousarray(np.tile(skimage.data.astronaut(), (2, 9, 1))[:height, :WIDTH])


def growth(task: Callable[[Pixels, Pixels], object]) -> float:
    """Bytes that one pixel more costs at the worst moment; what a strip needs, whatever the image, drops out."""
    peaks = []
    for height in (HEIGHT, HEIGHT, 2 * HEIGHT):  # the first time for tables and matrices that are kept
        a, b = photo(height), photo(height)[::-1].copy()
        tracemalloc.start()
        task(a, b)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return (peaks[2] - peaks[1]) / (HEIGHT * WIDTH)


def scored(*metrics: str, protocol: str) -> Callable[[Pixels, Pixels], object]:
    def task(sr: Pixels, hr: Pixels) -> object:
        lr = np.zeros((sr.shape[0] // 4, sr.shape[1] // 4, 3), np.float32)
        values = Scorer(metrics, get_protocol(protocol)).score(sr, hr, lr, 4.0, "image")
        assert all(value.value is not None for value in values.values()), values
        return values

    return task


@pytest.mark.parametrize(
    ("metrics", "protocol", "bytes_per_pixel"),
    [
        (("psnr", "ssim"), "sample", 2),
        (("psnr", "ssim"), "basicsr-y", 2 * 8 + 2),  # two float64 planes, no more
        (("lr_psnr",), "basicsr-y", CANVAS),
        (("improvement", "omission", "hallucination"), "sample", CANVAS),
    ],
)
def test_metrics_of_pairs_work_in_strips(metrics: tuple[str, ...], protocol: str, bytes_per_pixel: float) -> None:
    """Catches float64 copies of whole images (24 bytes a pixel each)."""
    assert growth(scored(*metrics, protocol=protocol)) < bytes_per_pixel


def test_niqe_works_in_strips() -> None:
    """Catches whole planes of means and spreads (8 bytes a pixel each); 12 are what halving the image takes."""
    pristine = Pristine(np.zeros(36), np.eye(36))
    assert growth(lambda sr, _: niqe(sr[..., 0], pristine)) < 16


@pytest.mark.parametrize(("metric", "bytes_per_pixel"), [(self_ssim, 2), (self_ms_ssim_nearest, 2 * CANVAS)])
def test_outputs_of_two_scales_are_compared_in_strips(
    metric: Callable[[Pixels, Pixels], float], bytes_per_pixel: float
) -> None:
    """Catches the enlarged image as a whole, and both in float64."""
    assert growth(lambda a, b: metric(a[: len(a) // 2, : len(a) // 2], b)) < bytes_per_pixel


def test_pi_holds_one_set_of_bands_and_two_spectra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a second set of normalised bands (60 bytes a pixel), masks and grids of the image's size; NRQM is a part.

    The learned forests, which read 138 numbers, are a stand-in.
    """

    class Forests:
        def predict(self, groups: tuple[Pixels, ...]) -> float:
            return float(sum(group.sum() for group in groups))

    monkeypatch.setattr("bench.metrics.nrqm.obtain", lambda *_: Path("model"))
    monkeypatch.setattr("bench.metrics.nrqm.read_model", lambda _: Forests())
    monkeypatch.setattr("bench.metrics.pi.load_parameters", lambda _: Pristine(np.zeros(36), np.eye(36)))
    monkeypatch.setattr(PI, "unavailable", lambda _: None)
    assert growth(scored("pi", protocol="sample")) < 9 * CANVAS
