"""SSIM against the dense definition, scikit-image, pyiqa and published bicubic rows."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import convolve2d
from skimage import data
from skimage.metrics import structural_similarity

from bench.api import UnitError, get_protocol
from bench.imaging import imresize, imresize_u8, read_image, studio_luma_u8
from bench.metrics.base import ScoredPair
from bench.metrics.psnr import psnr
from bench.metrics.ssim import SSIM, similarity, ssim

SAMPLE = get_protocol("sample")


def score(sr, hr, *, scale=4.0, **knobs):
    return SSIM().compute(ScoredPair(sr=sr, hr=hr, lr=None, scale=scale, protocol=replace(SAMPLE, **knobs)))


def soft(image, factor=4):
    height, width = image.shape[:2]
    return imresize_u8(imresize_u8(image, (height // factor, width // factor)), (height, width))


def dense_ssim(a, b, *, clamp):
    """The authors' formula with a two-dimensional window."""
    x = np.arange(11) - 5
    window = np.exp(-(x[:, None] ** 2 + x**2) / 4.5)
    window /= window.sum()
    a, b = a.astype(np.float64), b.astype(np.float64)

    def blur(plane):
        return convolve2d(plane, window, mode="valid")

    mean_a, mean_b = blur(a), blur(b)
    contrast = (2 * (blur(a * b) - mean_a * mean_b) + 58.5225) / (
        blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2 + 58.5225
    )
    if clamp:
        contrast = np.maximum(contrast, 0)
    return np.mean(contrast * (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)), contrast.mean()


@pytest.mark.parametrize("clamp", [False, True])
@pytest.mark.parametrize("shape", [(11, 11), (40, 23), (90, 300)])
def test_equals_the_dense_definition_also_where_contrast_is_negative(shape, clamp):
    rng = np.random.default_rng(1)
    a = rng.integers(0, 256, shape, dtype=np.uint8)
    b = 255 - a // 2
    expected = dense_ssim(a, b, clamp=clamp)
    assert similarity(a, b, clamp=clamp) == pytest.approx(expected, abs=1e-12)


def test_strips_add_up_to_the_whole_image_not_to_a_mean_of_strip_means():
    hr = np.tile(data.camera(), (1, 2))[:, :777]
    sr = soft(hr, 3)
    _, full = structural_similarity(
        sr, hr, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, full=True
    )
    assert ssim(sr, hr) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-10)


def test_rgb_is_the_mean_of_the_channels_not_of_luma():
    hr = data.chelsea()
    sr = soft(hr)
    channels = [ssim(np.ascontiguousarray(sr[..., c]), np.ascontiguousarray(hr[..., c])) for c in range(3)]
    assert score(sr, hr) == pytest.approx(np.mean(channels), abs=1e-12)


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_equals_pyiqa_under_its_protocol(name):
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("pyiqa.archs.ssim_arch").SSIM()
    hr = getattr(data, name)()
    sr = soft(hr)
    tensors = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 for image in (sr, hr)]
    ours = score(sr, hr, ssim_colour="yiq-u8", ssim_clamp=True)
    assert ours == pytest.approx(float(reference(*tensors)), abs=2e-6)


def test_identical_images_score_exactly_one():
    image = data.coffee()
    assert score(image, image.copy()) == 1.0


def test_sixteen_bit_results_are_on_the_same_scale():
    hr = data.camera()
    sr = soft(hr)
    assert ssim(sr.astype(np.uint16) * 257, hr) == pytest.approx(ssim(sr, hr), abs=1e-12)


def test_small_after_shave_says_what_is_needed():
    image = np.zeros((30, 26, 3), np.uint8)
    assert score(image, image, scale=8, shave=7) == 1.0
    with pytest.raises(UnitError, match=r"at least 11 x 11 px after a shave of 8 px.*14 x 10 of 30 x 26"):
        score(image, image, scale=8, shave="s")


def test_signature_names_the_clamp():
    assert SSIM().signature(get_protocol("pyiqa-default"), 4).startswith("ssim|yiq-u8|clamp|shave:0|")
    assert "clamp" not in SSIM().signature(SAMPLE, 4)


@pytest.mark.reference
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_on_set5_is_the_published_row(reference_root, scale):
    """33.66/.9299, 30.39/.8682, 28.42/.8104: luma in 8 bit, LR in float, SR in 8 bit, shave s."""
    table = reference_root / "reference" / "bicubic_baseline.csv"
    with table.open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file) if _is_row(row, scale)}
    found = []
    for path in sorted((reference_root / "data/test/Set5").rglob("*.png")):
        pixels = read_image(path).pixels
        luma = pixels if pixels.ndim == 2 else studio_luma_u8(pixels)
        height, width = (side // scale * scale for side in luma.shape)
        hr = luma[:height, :width]
        up = imresize(imresize(hr, (height // scale, width // scale)), hr.shape)
        sr = np.clip(np.floor(up + 0.5), 0, 255).astype(np.uint8)
        inner = slice(scale, -scale)
        found.append((psnr(sr[inner, inner], hr[inner, inner]), ssim(sr[inner, inner], hr[inner, inner])))
    means = np.mean(found, axis=0)
    published = {2: (33.66, 0.9299), 3: (30.39, 0.8682), 4: (28.42, 0.8104)}[scale]
    assert len(found) == 5
    assert means == pytest.approx((float(rows["MEAN"]["psnr_y"]), float(rows["MEAN"]["ssim_y"])), abs=1e-4)
    assert (round(means[0], 2), round(means[1], 4)) == published


def _is_row(row, scale):
    return row["set"] == "Set5" and row["scale"] == str(scale) and row["protocol"] == "Y_float_lr"
