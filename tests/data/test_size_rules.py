"""LR sizes that are rounded up or to the nearest: MATLAB's `imresize(HR, 1/s)` of the whole image."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.api import ImageRef, Sample, ScalePair, UnitError, get_protocol, lr_size
from bench.data import prepare
from bench.imaging import ImageError, imresize, imresize_u8
from bench.imaging.downsample import downsample

LUT = get_protocol("lut-y")
FLOAT_CEIL = replace(get_protocol("sample"), size_rule="ceil", lr_depth="float")


def matlabs_resize(line: np.ndarray, factor: float) -> np.ndarray:
    """One line through `imresize(line, factor)` with factor below 1, sample by sample as MATLAB's help describes it."""
    length, wanted = len(line), math.ceil(len(line) * factor - 1e-9)
    out = []
    for index in range(1, wanted + 1):
        u = index / factor + 0.5 * (1 - 1 / factor)
        total = weight_sum = 0.0
        for tap in range(math.floor(u - 2 / factor) - 1, math.ceil(u + 2 / factor) + 2):
            x = abs(factor * (u - tap))
            if x <= 1:
                weight = 1.5 * x**3 - 2.5 * x**2 + 1
            elif x <= 2:
                weight = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            else:
                continue
            place = (tap - 1) % (2 * length)
            total += weight * line[place if place < length else 2 * length - 1 - place]
            weight_sum += weight
        out.append(total / weight_sum)
    return np.array(out)


@pytest.mark.parametrize("scale", [2, 3, 4, 1.5, 3.7])
def test_lr_of_the_ceil_rule_is_matlabs_on_its_nominal_grid(tmp_path, save_image, scale):
    """Catches the effective ratio in place of 1/s, and a grid that ends where the image does."""
    hr = save_image(tmp_path / "a.png", (35, 50)).astype(np.float64)
    pair = prepare(Sample("a", ImageRef(tmp_path / "a.png")), scale, FLOAT_CEIL)
    columns = np.apply_along_axis(matlabs_resize, 0, hr, 1 / scale)
    expected = np.apply_along_axis(matlabs_resize, 1, columns, 1 / scale)
    assert pair.lr is not None
    assert pair.lr_shape == expected.shape[:2]
    np.testing.assert_allclose(pair.lr * 255, expected, atol=2e-4)


@pytest.mark.parametrize("scale", [ScalePair(1.5, 4), ScalePair(3.7, 2), ScalePair(1, 2.5)])
def test_lr_of_two_factors_is_matlabs_on_the_grid_of_each_axis(tmp_path, save_image, scale):
    """Catches one factor on both axes, width x height, and the grid of an axis that ends where the image does."""
    hr = save_image(tmp_path / "a.png", (35, 50)).astype(np.float64)
    pair = prepare(Sample("a", ImageRef(tmp_path / "a.png")), scale, FLOAT_CEIL)
    rows = hr if scale.height == 1 else np.apply_along_axis(matlabs_resize, 0, hr, 1 / scale.height)
    expected = np.apply_along_axis(matlabs_resize, 1, rows, 1 / scale.width)
    assert pair.lr is not None
    assert pair.lr_shape == expected.shape[:2] == lr_size((35, 50), scale, "ceil")
    np.testing.assert_allclose(pair.lr * 255, expected, atol=2e-4)


def test_the_axis_of_the_smaller_factor_is_shrunk_first():
    """Catches rows first whatever the factors: in 8 bit, where each pass rounds, that is another image."""
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    small = imresize_u8(image, (32, 12), scale=(1 / 1.5, 1 / 4))
    columns = imresize_u8(image, (48, 12), scale=(1, 1 / 4))
    assert np.array_equal(small, imresize_u8(columns, (32, 12), scale=(1 / 1.5, 1)))
    assert np.array_equal(small, imresize_u8(image, (32, 12)))
    rows = imresize_u8(image, (32, 48), scale=(1 / 1.5, 1))
    assert not np.array_equal(small, imresize_u8(rows, (32, 12), scale=(1, 1 / 4)))


def test_a_factor_equals_a_size_where_it_divides_the_image():
    """Catches a factor that changes what sizes alone gave: MATLAB's own images stay the truth there."""
    image = np.random.default_rng(0).integers(0, 256, (36, 48, 3), dtype=np.uint8)
    assert np.array_equal(imresize_u8(image, (12, 16), scale=1 / 3), imresize_u8(image, (12, 16)))
    assert np.array_equal(imresize(image, (9, 12), scale=1 / 4), imresize(image, (9, 12)))


@settings(deadline=None, max_examples=200)
@given(height=st.integers(1, 500), scale=st.floats(1, 40, allow_nan=False))
def test_sizes_of_the_rules(height, scale):
    """Catches a rule that is floor under another name, and float noise that adds a pixel to a side that s divides."""
    low, mid, high = (lr_size((height, height), scale, rule)[0] for rule in ("floor-crop", "round", "ceil"))
    assert low <= mid <= high <= low + 1
    assert high * scale >= height - 1e-6
    assert abs(mid - height / scale) <= 0.5 + 1e-6
    whole = round(scale)
    assert {lr_size((height * whole, 8), whole, rule)[0] for rule in ("floor-crop", "round", "ceil")} == {height}


@pytest.mark.parametrize(
    ("rule", "lr", "asked", "size"),
    [
        ("floor-crop", (11, 16), (33, 48), (33, 48)),
        ("round", (12, 17), (36, 51), (35, 50)),
        ("ceil", (12, 17), (36, 51), (35, 50)),
    ],
)
def test_a_method_is_asked_for_all_of_lr_and_scored_on_what_hr_has(tmp_path, save_image, rule, lr, asked, size):
    """Catches HR that is padded, and an SR image on a grid squeezed into the size of HR."""
    hr = save_image(tmp_path / "a.png", (35, 50))
    pair = prepare(Sample("a", ImageRef(tmp_path / "a.png")), 3, replace(get_protocol("sample"), size_rule=rule))
    assert (pair.lr_shape, pair.asked, pair.size) == (lr, asked, size)
    assert pair.hr is not None
    assert np.array_equal(pair.hr, hr[: size[0], : size[1]])


def test_a_given_pair_of_the_ceil_rule_fits_only_there(tmp_path, save_image):
    """Catches a floor-crop protocol that takes LR images which reach beyond HR."""
    save_image(tmp_path / "hr.png", (35, 50))
    save_image(tmp_path / "lr.png", (12, 17))
    sample = Sample("a", ImageRef(tmp_path / "hr.png"), ImageRef(tmp_path / "lr.png"))
    pair = prepare(sample, 3, replace(LUT, lr_given=True))
    assert (pair.asked, pair.size) == ((36, 51), (35, 50))
    with pytest.raises(UnitError, match="do not fit x3"):
        prepare(sample, 3, replace(get_protocol("sample"), lr_given=True))


def test_other_downsamplers_have_no_nominal_grid():
    with pytest.raises(ImageError, match="only matlab-bicubic has a nominal grid"):
        downsample(np.zeros((9, 9), np.uint8), (3, 3), kernel="pillow-bicubic", scale=3)
