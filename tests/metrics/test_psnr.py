"""PSNR against integer arithmetic, pyiqa and the published definition of luma error."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from bench.api import UnitError, get_protocol
from bench.imaging import imresize_u8
from bench.metrics.base import ScoredPair
from bench.metrics.psnr import PSNR, mean_squared_error, psnr, psnr_of_batches

SAMPLE = get_protocol("sample")


def score(sr, hr, *, scale=4.0, **knobs):
    return PSNR().compute(ScoredPair(sr=sr, hr=hr, lr=None, scale=scale, protocol=replace(SAMPLE, **knobs)))


def soft(image, factor=4):
    height, width = image.shape[:2]
    return imresize_u8(imresize_u8(image, (height // factor, width // factor)), (height, width))


@pytest.mark.parametrize("shape", [(7, 5), (300, 211), (301, 97, 3)])
def test_u8_error_is_exact_not_wrapped_or_float32(shape):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    exact = np.sum((a.astype(np.int64) - b) ** 2) / a.size
    assert mean_squared_error(a, b) == exact
    assert mean_squared_error(a[2:-1, 1:-2], b[2:-1, 1:-2]) == pytest.approx(
        np.mean((a[2:-1, 1:-2].astype(np.int64) - b[2:-1, 1:-2]) ** 2), rel=1e-15
    )


def test_largest_error_does_not_overflow():
    black = np.zeros((1200, 1500, 3), np.uint8)
    assert psnr(black, black + 255) == 0.0


def test_one_level_is_48_13_db():
    image = np.full((20, 30, 3), 100, np.uint8)
    assert psnr(image, image + 1) == pytest.approx(20 * math.log10(255), abs=1e-12)


def test_identical_images_are_infinite_not_capped():
    image = data.astronaut()
    assert score(image, image.copy()) == math.inf
    assert score(image, image.copy(), psnr_colour="y601s") == math.inf


@pytest.mark.parametrize("name", ["astronaut", "chelsea"])
def test_equals_pyiqa_rgb(name):
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("pyiqa.archs.psnr_arch")
    hr = getattr(data, name)()
    sr = soft(hr)
    tensors = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 for image in (sr, hr)]
    assert score(sr, hr) == pytest.approx(float(reference.psnr(*tensors)), abs=1e-4)


def test_studio_luma_has_219_levels_and_peak_255_not_full_range():
    """LIIF: error of (65.738, 129.057, 25.064) / 256 times the RGB difference, peak 1; no offset, no rounding."""
    hr = data.chelsea()
    sr = soft(hr)
    difference = (sr.astype(np.float64) - hr) @ (np.array([65.738, 129.057, 25.064]) / 256) / 255
    liif = -10 * math.log10(np.mean(difference**2))
    assert score(sr, hr, psnr_colour="y601s") == pytest.approx(liif, abs=2e-4)
    assert score(sr, hr, psnr_colour="yiq-u8") == pytest.approx(liif - 20 * math.log10(255 / 219), abs=0.05)


def test_rounded_luma_is_another_number():
    hr = data.chelsea()
    sr = soft(hr, 2)
    gap = score(sr, hr, psnr_colour="y601s") - score(sr, hr, psnr_colour="y601s-u8")
    assert 0.001 < gap < 0.1


def test_luma_image_passes_through_unscaled():
    luma = data.camera()
    other = soft(luma)
    assert score(other, luma, psnr_colour="y601s") == psnr(other, luma)


def test_sixteen_bit_result_is_not_reduced_to_eight():
    hr = np.full((40, 40, 3), 128, np.uint8)
    sr = np.full((40, 40, 3), 128 * 257 + 64, np.uint16)
    expected = 20 * math.log10(255 / (64 / 257))
    assert score(sr, hr) == pytest.approx(expected, abs=1e-9)
    assert score(sr, hr, psnr_colour="y601s") == pytest.approx(expected + 20 * math.log10(255 / 219), abs=1e-9)


@pytest.mark.parametrize(("shave", "border"), [("s", 4), ("s+6", 10), (3, 3)])
def test_shave_removes_the_border_of_both_and_nothing_more(shave, border):
    hr = np.full((60, 50, 3), 90, np.uint8)
    sr = hr.copy()
    sr[:border], sr[-border:], sr[:, :border], sr[:, -border:] = 0, 0, 0, 0
    assert score(sr, hr, scale=3.6, shave=shave) == math.inf
    sr[border, border] = 0
    assert score(sr, hr, scale=3.6, shave=shave) < math.inf


def test_shave_that_leaves_nothing_says_sizes():
    image = np.zeros((16, 40, 3), np.uint8)
    with pytest.raises(UnitError, match=r"shave of 8 px.*16 x 40"):
        score(image, image, scale=8, shave="s")


def test_signature_is_the_contract():
    classic = get_protocol("basicsr-y")
    expected = "psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"
    assert PSNR().signature(classic, 4) == expected
    assert "agg:batch8-mse-first100" in PSNR().signature(get_protocol("face-kim"), 8)


def test_batches_pool_squared_errors_of_consecutive_images():
    """Catches a mean of decibels, and a last batch that counts as much as a full one."""
    rng = np.random.default_rng(3)
    pairs = [rng.integers(0, 256, (2, 9, 11, 3), dtype=np.uint8) // (1 + index) for index in range(11)]
    errors = np.array([mean_squared_error(a, b) for a, b in pairs])
    first, last = (10 * math.log10(255**2 / part.mean()) for part in (errors[:8], errors[8:]))
    assert psnr_of_batches([psnr(a, b) for a, b in pairs]) == pytest.approx((8 * first + 3 * last) / 11, rel=1e-12)
    assert psnr_of_batches([30.0, math.inf]) == pytest.approx(30 + 10 * math.log10(2))
    assert psnr_of_batches([30.0] * 8 + [math.inf]) == math.inf
