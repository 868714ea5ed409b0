"""MATLAB's resizing against images that MATLAB wrote, Pillow and torch where they agree, and its own algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.imaging import ImageError, imresize, imresize_u8, interpolate
from bench.imaging.resize import area, resized_rows
from bench.imaging.weights import average_matrix, kernel_matrix

KERNELS = ("nearest", "bilinear", "bicubic", "lanczos")
sides = st.integers(1, 60)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def torch_resize(image: np.ndarray, size: tuple[int, int], mode: str, **options: bool) -> np.ndarray:
    tensor = torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]
    return torch.nn.functional.interpolate(tensor, size=size, mode=mode, **options)[0].permute(1, 2, 0).numpy()


@pytest.mark.reference
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_u8_path_is_matlabs_bit_for_bit(reference_root, scale):
    """Catches a = -0.75, renormalised borders, rounding once instead of after each pass, half to even."""
    files = sorted((reference_root / "reference/matlab_lr/Set5" / f"x{scale}").glob("*.bmp"))
    assert len(files) == 5
    for file in files:
        expected = np.asarray(Image.open(file))
        hr = np.asarray(Image.open(reference_root / "data/test/Set5" / f"{file.stem[:-2]}.png").convert("RGB"))
        h, w = hr.shape[0] // scale, hr.shape[1] // scale
        np.testing.assert_array_equal(imresize_u8(hr[: h * scale, : w * scale], (h, w)), expected, err_msg=file.name)


@pytest.mark.parametrize("size", [(25, 40), (33, 61), (12, 12), (250, 320)])
def test_interior_equals_pillows_float_bicubic(size):
    """Catches a shifted grid, a nominal instead of an effective ratio, a missing antialias."""
    image = noise(100, 128)
    expected = np.asarray(Image.fromarray(image.astype(np.float32)).resize(size[::-1], Image.Resampling.BICUBIC))
    margin = 3 * max(1, size[0] // image.shape[0] + 1)  # the kernel reaches 2 pixels of the coarser grid
    inner = (slice(margin, -margin), slice(margin, -margin))
    np.testing.assert_allclose(imresize(image, size)[inner], expected[inner], atol=2e-3)


def test_lanczos_interior_equals_pillows():
    """Catches two lobes instead of three."""
    image = noise(120, 140)
    expected = np.asarray(Image.fromarray(image.astype(np.float32)).resize((35, 30), Image.Resampling.LANCZOS))
    got = interpolate(image, (30, 35), "lanczos")
    np.testing.assert_allclose(got[4:-4, 4:-4], expected[4:-4, 4:-4], atol=2e-3)


@pytest.mark.parametrize("size", [(31, 50), (64, 47), (9, 100)])
def test_bilinear_without_antialias_equals_torch_everywhere(size):
    """Catches align_corners and a border other than the replicated one (mirroring replicates one pixel)."""
    image = noise(30, 40, 3)
    expected = torch_resize(image, size, "bilinear", align_corners=False)
    np.testing.assert_allclose(interpolate(image, size, "bilinear", antialias=False), expected, atol=1e-9)


@pytest.mark.parametrize("size", [(7, 9), (30, 17), (61, 80)])
def test_area_equals_torch(size):
    """Catches bins that do not overlap at fractional ratios."""
    image = noise(30, 40, 3)
    np.testing.assert_allclose(area(image, size), torch_resize(image, size, "area"), atol=1e-9)


def test_nearest_repeats_pixels_at_whole_ratios():
    """Catches a half-pixel shift of the nearest neighbour, and antialiasing it by default."""
    image = noise(5, 7, 3)
    np.testing.assert_array_equal(interpolate(image, (15, 14), "nearest"), image.repeat(3, 0).repeat(2, 1))
    np.testing.assert_array_equal(interpolate(image.repeat(3, 0), (5, 7), "nearest"), image)


@settings(deadline=None, max_examples=40)
@given(height=sides, width=sides, out_height=sides, out_width=sides, seed=st.integers(0, 99))
def test_strips_equal_the_dense_matrix_product(height, width, out_height, out_width, seed):
    """Catches a lost strip, a transposed axis, channels mixed up."""
    image = noise(height, width, 3, seed=seed)
    down = kernel_matrix(height, out_height, "bicubic", True).toarray()
    across = kernel_matrix(width, out_width, "bicubic", True).toarray()
    expected = np.einsum("ab,bcd,ec->aed", down, image.astype(np.float64), across)
    np.testing.assert_allclose(imresize(image, (out_height, out_width)), expected, atol=1e-9)


def test_wide_and_tall_images_are_cut_into_strips_correctly():
    """Catches the last, shorter strip being dropped (small images are one strip)."""
    wide, tall = noise(6, 9001, 3), noise(9001, 6, 3)
    np.testing.assert_allclose(imresize(wide, (3, 7001)), imresize(tall_of(wide), (7001, 3)).swapaxes(0, 1), atol=1e-9)
    np.testing.assert_allclose(imresize(tall, (7001, 3)), imresize(tall_of(tall), (3, 7001)).swapaxes(0, 1), atol=1e-9)


def tall_of(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image.swapaxes(0, 1))


@settings(deadline=None, max_examples=80)
@given(length=st.integers(1, 300), out=st.integers(1, 300), kernel=st.sampled_from(KERNELS), antialias=st.booleans())
def test_weights_sum_to_one(length, out, kernel, antialias):
    """Catches unnormalised rows: a constant image would not stay constant."""
    np.testing.assert_allclose(kernel_matrix(length, out, kernel, antialias).sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(average_matrix(length, out).sum(axis=1), 1, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(height=sides, width=sides, out_height=sides, out_width=sides, level=st.integers(0, 255))
def test_constant_u8_image_stays_exactly_constant(height, width, out_height, out_width, level):
    """Catches truncation in the 8-bit path."""
    image = np.full((height, width), level, np.uint8)
    assert np.all(imresize_u8(image, (out_height, out_width)) == level)


@settings(deadline=None, max_examples=25)
@given(length=st.integers(2, 80), out=st.integers(1, 80))
def test_border_is_mirrored(length, out):
    """Catches replicated or renormalised borders: an image beside its mirror image must not notice the seam."""
    image = noise(1, length, seed=length).astype(np.float64)
    doubled = np.concatenate([image, image[:, ::-1]], axis=1)
    np.testing.assert_allclose(imresize(image, (1, out)), imresize(doubled, (1, 2 * out))[:, :out], atol=1e-9)


def test_halves_round_away_from_zero():
    """Catches half to even: the mean of 0 and 1 is 0.5, which MATLAB stores as 1."""
    stripes = np.tile(np.array([0, 1], np.uint8), (4, 16))
    assert np.all(imresize_u8(stripes, (4, 16))[:, 4:-4] == 1)


def test_axis_with_the_smaller_scale_goes_first():
    """Catches a fixed order of the two rounded passes."""
    image = noise(64, 64, 3)
    rows_first = imresize_u8(imresize_u8(image, (16, 64)), (16, 40))
    columns_first = imresize_u8(imresize_u8(image, (64, 16)), (40, 16))
    np.testing.assert_array_equal(imresize_u8(image, (16, 40)), rows_first)
    np.testing.assert_array_equal(imresize_u8(image, (40, 16)), columns_first)
    assert np.any(imresize_u8(imresize_u8(image, (64, 40)), (16, 40)) != rows_first)


def test_float32_stays_close_and_in_float32():
    image = noise(50, 60, 3)
    fast = interpolate(image, (120, 77), "bicubic", dtype="float32")
    assert fast.dtype == np.float32
    np.testing.assert_allclose(fast, imresize(image, (120, 77)), atol=1e-3)


def test_result_never_shares_memory_with_the_input():
    """Catches the identity size handing the caller's own array back."""
    image = noise(8, 9, 3)
    for result in (imresize_u8(image, (8, 9)), imresize(image.astype(np.float64), (8, 9))):
        assert not np.shares_memory(result, image)
        np.testing.assert_array_equal(result, image)
    floats = image.astype(np.float64)
    assert not np.shares_memory(imresize(floats, (8, 9)), floats)


def test_view_of_a_larger_image_is_read_correctly():
    """Catches assuming contiguous memory: a crop is a view."""
    image = noise(40, 50, 3)
    crop = image[3:37, 5:45]
    np.testing.assert_array_equal(imresize_u8(crop, (17, 20)), imresize_u8(crop.copy(), (17, 20)))


@pytest.mark.parametrize(
    ("image", "size"),
    [(np.zeros((0, 4)), (2, 2)), (np.zeros(4), (2, 2)), (np.zeros((4, 4)), (0, 2)), (np.zeros((4, 4)), (2, -1))],
)
def test_empty_images_and_sizes_are_refused(image, size):
    with pytest.raises(ImageError, match="expected"):
        imresize(image, size)


def test_wrong_types_and_kernels_are_refused():
    with pytest.raises(ImageError, match="uint8"):
        imresize_u8(np.zeros((4, 4), np.float32), (2, 2))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ImageError, match=r"'sinc'.*bicubic"):
        interpolate(np.zeros((4, 4)), (2, 2), "sinc")  # pyright: ignore[reportArgumentType]


@settings(deadline=None, max_examples=40)
@given(height=sides, width=sides, out_height=sides, out_width=sides, data=st.data())
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_some_rows_are_those_of_the_whole_bit_for_bit(dtype, height, width, out_height, out_width, data):
    """Catches the axes in the other order, and rows that mirrored borders reach and the cut leaves out."""
    image = noise(height, width, 3).astype(np.uint16) * 257
    start = data.draw(st.integers(0, out_height - 1))
    stop = data.draw(st.integers(start + 1, out_height))
    levels = np.divide(image, 257.0, dtype=dtype)
    whole = interpolate(levels, (out_height, out_width), "bicubic", dtype=dtype)
    rows = resized_rows(image, (out_height, out_width), start, stop, levels=257.0, dtype=dtype)
    assert rows.dtype == whole.dtype
    np.testing.assert_array_equal(rows, whole[start:stop])
