"""Luma against scikit-image, pyiqa and exact integer arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2ycbcr

from bench.imaging import ImageError, studio_luma, studio_luma_u8, to_colour, yiq_luma_u8


@pytest.fixture(scope="module")
def colours():
    """(512, 1024, 3): every 32nd colour, black and white among them, more than one strip."""
    index = np.arange(512 * 1024, dtype=np.uint32) * 32 + 31
    index[0] = 0
    return np.stack([index >> 16, index >> 8 & 255, index & 255], axis=-1).astype(np.uint8).reshape(512, 1024, 3)


def test_studio_luma_equals_scikit_image(colours):
    """Catches full-range coefficients, a missing offset, BGR order."""
    np.testing.assert_allclose(studio_luma(colours), rgb2ycbcr(colours)[..., 0], atol=1e-10)


def test_studio_luma_ends_are_16_and_235():
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(studio_luma(ends), [[16.0, 235.0]])
    np.testing.assert_array_equal(studio_luma_u8(ends), [[16, 235]])


def test_rounded_studio_luma_is_exact_and_rounds_half_up(colours):
    """Catches float noise at ties and half to even; the expectation is integer arithmetic."""
    rgb = colours.astype(np.int64)
    sums = 65481 * rgb[..., 0] + 128553 * rgb[..., 1] + 24966 * rgb[..., 2]
    np.testing.assert_array_equal(studio_luma_u8(colours), 16 + (sums + 127500) // 255000)


def test_rounded_studio_luma_ties_go_up():
    """Catches half to even at the few hundred colours whose luma is exactly half way."""
    ties = [
        (r, g, b)
        for r in range(256)
        for g in range(0, 256, 4)
        for b in range(256)
        if (65481 * r + 128553 * g + 24966 * b) % 255000 == 127500
    ]
    assert ties
    pixels = np.array([ties], np.uint8)
    expected = [16 + (65481 * r + 128553 * g + 24966 * b + 127500) // 255000 for r, g, b in ties]
    np.testing.assert_array_equal(studio_luma_u8(pixels)[0], expected)


def test_yiq_luma_is_pyiqas_to_the_last_bit(colours):
    """Catches exact arithmetic: one colour in a thousand is a tie that pyiqa's float32 noise decides."""
    torch = pytest.importorskip("torch")
    from pyiqa.utils.color_util import to_y_channel

    tensor = torch.from_numpy(colours).permute(2, 0, 1)[None].float() / 255
    expected = to_y_channel(tensor, out_data_range=255.0)[0, 0].numpy()
    np.testing.assert_array_equal(yiq_luma_u8(colours), expected)


@pytest.mark.parametrize("colour", ["rgb", "y601s", "y601s-u8", "yiq-u8"])
def test_sixteen_bit_pixels_mean_the_same(colours, colour):
    """Catches scaling uint16 by 256 instead of 257."""
    part = colours[::8, ::8]
    wide = part.astype(np.uint16) * 257
    tolerance = 1 if colour == "yiq-u8" else 1e-9  # a tie may fall the other way
    got, expected = to_colour(wide, colour), to_colour(part, colour)
    np.testing.assert_allclose(got, expected, atol=tolerance)
    assert np.mean(got != expected) < 0.01 or colour in ("y601s",)
    assert got.dtype == np.float64


def test_a_plane_is_luma_already(colours):
    """Catches converting a luma plane a second time, and 8-bit rounding of an unrounded 16-bit plane being skipped."""
    plane = colours[:, :, 0]
    for colour in ("rgb", "y601s", "y601s-u8", "yiq-u8"):
        np.testing.assert_array_equal(to_colour(plane, colour), plane)
    assert to_colour(np.full((2, 2), 1000, np.uint16), "y601s")[0, 0] == 1000 / 257
    assert to_colour(np.full((2, 2), 1000, np.uint16), "y601s-u8")[0, 0] == 4


def test_crops_are_read_as_views(colours):
    crop = colours[5:90, 7:80]
    np.testing.assert_array_equal(yiq_luma_u8(crop), yiq_luma_u8(colours)[5:90, 7:80])
    np.testing.assert_array_equal(studio_luma(crop), studio_luma(colours)[5:90, 7:80])


def test_other_shapes_types_and_names_are_refused():
    with pytest.raises(ImageError, match=r"'lab'.*y601s"):
        to_colour(np.zeros((2, 2, 3), np.uint8), "lab")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ImageError, match="float64"):
        to_colour(np.zeros((2, 2, 3)), "rgb")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ImageError, match="4"):
        to_colour(np.zeros((2, 2, 4), np.uint8), "rgb")
    with pytest.raises(ImageError, match="RGB"):
        studio_luma(np.zeros((2, 2), np.uint8))
