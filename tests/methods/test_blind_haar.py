"""The Haar transform of the blind model (test group 1), against the orthonormal transform matrix and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.blind_assr.haar import CHANNELS, decompose, encoder_input

HIGH = ("lh", "hl", "hh")


def _image(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((2, 3, height, width)))


def _haar_matrix(length: int) -> np.ndarray:
    """The orthonormal one-level transform of a signal: sums of neighbours above, differences below."""
    matrix = np.zeros((length, length))
    for i in range(length // 2):
        matrix[i, 2 * i : 2 * i + 2] = 1 / math.sqrt(2), 1 / math.sqrt(2)
        matrix[length // 2 + i, 2 * i : 2 * i + 2] = 1 / math.sqrt(2), -1 / math.sqrt(2)
    return matrix


def _inverse(bands: dict[str, torch.Tensor]) -> torch.Tensor:
    ll, lh, hl, hh = (bands[name] for name in ("ll", "lh", "hl", "hh"))
    height, width = ll.shape[-2:]
    image = torch.empty(*ll.shape[:2], 2 * height, 2 * width, dtype=ll.dtype)
    for row in range(height):
        for column in range(width):
            at = (..., row, column)
            image[..., 2 * row, 2 * column] = (ll[at] + lh[at] + hl[at] + hh[at]) / 2
            image[..., 2 * row, 2 * column + 1] = (ll[at] + lh[at] - hl[at] - hh[at]) / 2
            image[..., 2 * row + 1, 2 * column] = (ll[at] - lh[at] + hl[at] - hh[at]) / 2
            image[..., 2 * row + 1, 2 * column + 1] = (ll[at] - lh[at] - hl[at] + hh[at]) / 2
    return image


def test_bands_are_those_of_the_orthonormal_transform_along_rows_and_columns():
    """Catches a swap of LH and HL, a factor of one half too much, and a block that starts one pixel late."""
    image = _image(8, 12)
    bands = decompose(image)
    for sample in range(2):
        for channel in range(3):
            whole = _haar_matrix(8) @ image[sample, channel].numpy() @ _haar_matrix(12).T
            for name, part in (
                ("ll", whole[:4, :6]),
                ("lh", whole[4:, :6]),  # differences between rows, sums along them
                ("hl", whole[:4, 6:]),
                ("hh", whole[4:, 6:]),
            ):
                np.testing.assert_allclose(bands[name][sample, channel].numpy(), part, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_four_bands_give_the_image_back(dtype):
    """Catches a band that is lost or has the wrong sign."""
    image = _image(10, 14).to(dtype)
    assert (_inverse(decompose(image)) - image).abs().max() < 1e-6


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 99))
def test_energy_is_kept(height, width, seed):
    """Catches filters that are not orthonormal."""
    image = _image(2 * height, 2 * width, seed)
    bands = decompose(image)
    assert sum(float((band**2).sum()) for band in bands.values()) == pytest.approx(float((image**2).sum()), rel=1e-9)


@pytest.mark.parametrize("size", [(8, 8), (7, 8), (8, 9), (7, 9), (2, 3)])
def test_a_constant_image_has_no_high_band_not_even_at_an_odd_border(size):
    """Catches zero padding, which makes an edge where there is none."""
    bands = decompose(torch.full((1, 3, *size), 0.7))
    assert all(float(bands[name].abs().max()) == 0 for name in HIGH)
    assert torch.allclose(bands["ll"], torch.tensor(1.4))


@pytest.mark.parametrize("size", [(7, 8), (8, 9), (5, 7)])
def test_an_odd_side_grows_by_one_reflected_pixel(size):
    """Catches a repeated edge pixel and a row added at the top."""
    image = _image(*size)
    padded = np.pad(image.numpy(), ((0, 0), (0, 0), (0, size[0] % 2), (0, size[1] % 2)), mode="reflect")
    expected = decompose(torch.from_numpy(padded))
    for name, band in decompose(image).items():
        assert torch.equal(band, expected[name]), name
        assert band.shape[-2:] == ((size[0] + 1) // 2, (size[1] + 1) // 2)


def test_each_kind_of_edge_shows_in_its_own_band_only():
    """Catches LH and HL taken for each other: the horizontal edge is the one between two rows."""
    horizontal, vertical, corners = torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    horizontal[..., 3:, :] = 1  # the step lies inside a block of two rows
    vertical[..., :, 3:] = 1
    corners[..., 0::2, 0::2] = corners[..., 1::2, 1::2] = 1
    for image, seen in ((horizontal, "lh"), (vertical, "hl"), (corners, "hh")):
        bands = decompose(image)
        assert {name for name in HIGH if bands[name].abs().max() > 0} == {seen}
    assert float(decompose(horizontal)["lh"][0, 0, 1, 0]) == -1  # dark above bright


def test_the_encoder_gets_hh_lh_hl_with_three_colours_each():
    """Catches another order of the bands, and colours grouped before bands."""
    image = _image(6, 8)
    bands = decompose(image)
    seen = encoder_input(image)
    assert seen.shape == (2, 9, 3, 4)
    for place, name in enumerate(("hh", "lh", "hl")):
        for colour in range(3):
            assert torch.equal(seen[:, 3 * place + colour], bands[name][:, colour]), (name, colour)


@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
def test_the_bands_ignore_brightness_and_scale_with_contrast(size):
    """Catches an input that is normalised on the way, and LL among the high bands."""
    image = _image(*size)
    assert torch.allclose(encoder_input(image + 0.3), encoder_input(image), atol=1e-12)
    assert torch.allclose(encoder_input(2 * image), 2 * encoder_input(image), atol=1e-12)


@pytest.mark.parametrize("wavelet", ["high", "ll+high", "rgb"])
def test_each_variant_has_the_channels_that_it_announces(wavelet):
    """Catches an encoder built for another number of channels than it gets."""
    image = _image(6, 8)
    seen = encoder_input(image, wavelet)
    assert seen.shape[1] == CHANNELS[wavelet]
    if wavelet == "rgb":
        assert torch.equal(seen, image)
    if wavelet == "ll+high":
        assert torch.equal(seen[:, :3], decompose(image)["ll"])
        assert torch.equal(seen[:, 3:], encoder_input(image))


@pytest.mark.parametrize("size", [(1, 8), (8, 1), (1, 1)])
def test_a_single_row_or_column_is_repeated_and_makes_no_edge(size):
    """Catches a refusal, and zero padding: along an axis of one pixel there is nothing to see."""
    bands = decompose(torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(3)))
    flat = [name for name, side in (("lh", size[0]), ("hl", size[1])) if side == 1]
    assert all(float(bands[name].abs().max()) < 1e-6 for name in (*flat, "hh"))
    assert float(bands["ll"].min()) > 0
