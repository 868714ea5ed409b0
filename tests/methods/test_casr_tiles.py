"""Tiles, their merging, padding and colour fixes: group 7 of CASR's list."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from methods.blocks.colour import fix_colours, low_frequencies
from methods.blocks.padding import mirrored, to_multiple
from methods.blocks.tiles import Tile, decode_tiled, grid, merge

SIZES = [(512, 512), (513, 513), (960, 512), (2304, 700), (100, 300)]


# --- group 7: tiling ---


@pytest.mark.parametrize("weights", ["none", "gauss"])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_of_an_untouched_image_merge_to_the_image(size: tuple[int, int], weights: str) -> None:
    """Catches a seam without normalisation, Gaussian weights that vanish, and parts put in the wrong place."""
    image = torch.rand(1, 2, *size, generator=torch.Generator().manual_seed(0))
    tiles = grid(size, tile=512, overlap=64)
    merged = merge((tile.of(image) for tile in tiles), tiles, size, weights=weights)
    assert torch.allclose(merged, image, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
def test_tiles_have_the_stated_stride_and_end_flush(size: tuple[int, int]) -> None:
    """Catches a last tile that sticks out or is cut short, gaps, and a stride other than 448."""
    tiles = grid(size, tile=512, overlap=64)
    covered = np.zeros(size, int)
    for tile in tiles:
        assert tile.size == (min(512, size[0]), min(512, size[1]))
        tile.of(torch.from_numpy(covered)).add_(1)
    assert covered.min() >= 1
    for axis, length in enumerate(size):
        starts = sorted({(tile.rows, tile.columns)[axis][0] for tile in tiles})
        assert starts[:-1] == list(range(0, length - 512, 448)) if length > 512 else starts == [0]
        assert starts[-1] == max(length - 512, 0)


def test_overlaps_are_weighted_as_said() -> None:
    """Catches a last tile that wins, plain means under gauss, and a Gaussian that is not about the tile's middle."""
    tiles = grid((4, 7), tile=4, overlap=1)
    assert [tile.columns for tile in tiles] == [(0, 4), (3, 7)]
    parts = [torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)]
    assert merge(parts, tiles, (4, 7))[0, 0, 0].tolist() == [0, 0, 0, 0.5, 1, 1, 1]
    three = [Tile((0, 4), (0, 4)), Tile((0, 4), (1, 5))]
    merged = merge(parts, three, (4, 5), weights="gauss")[0, 0, 2]
    off = (np.arange(4) - 1.5) / 4
    bell = np.exp(-(off**2) / 0.02)
    expected = [0, *(bell[:3] / (bell[:3] + bell[1:])), 1]
    assert merged.tolist() == pytest.approx(expected, abs=1e-6)


def test_half_precision_parts_are_summed_in_float32() -> None:
    """Catches Gaussian weights that underflow in half precision: the corner's is 1e-11."""
    parts = [torch.full((1, 1, 64, 64), 3.0, dtype=torch.float16)] * 2
    tiles = grid((64, 96), tile=64, overlap=32)
    merged = merge(parts, tiles, (64, 96), weights="gauss")
    assert merged.dtype == torch.float16
    assert torch.equal(merged, torch.full_like(merged, 3.0))


def test_gradients_reach_every_part() -> None:
    """Catches a merge that detaches: stage 2 trains through it."""
    parts = [torch.rand(1, 1, 4, 4, requires_grad=True) for _ in range(2)]
    merge(parts, grid((4, 7), tile=4, overlap=1), (4, 7)).sum().backward()
    assert [part.grad[0, 0, 0].tolist() for part in parts] == [[1, 1, 1, 0.5], [0.5, 1, 1, 1]]


def test_parts_that_do_not_fit_are_refused() -> None:
    """Catches silent broadcasting, and pixels divided by zero."""
    tiles = grid((4, 7), tile=4, overlap=1)
    with pytest.raises(ValueError, match="expected a part"):
        merge([torch.zeros(1, 1, 1, 1)] * 2, tiles, (4, 7))
    with pytest.raises(ValueError, match="cover"):
        merge([torch.zeros(1, 1, 4, 4)], tiles[:1], (4, 7))
    with pytest.raises(ValueError, match="argument 2"):
        merge([torch.zeros(1, 1, 4, 4)], tiles, (4, 7))


def test_a_tile_of_an_image_is_a_tile_of_its_latent() -> None:
    """Catches rounding of tiles that do not lie on latent pixels."""
    tiles = grid((2304, 1024), tile=512, overlap=64)
    assert [tile.reduced(8) for tile in tiles] == grid((288, 128), tile=64, overlap=8)
    with pytest.raises(ValueError, match="latent"):
        grid((513, 512), tile=512, overlap=64)[1].reduced(8)


@pytest.mark.parametrize("size", [(64, 64), (65, 40), (150, 130)])
def test_decoding_in_tiles_equals_decoding_whole_where_the_decoder_is_local(size: tuple[int, int]) -> None:
    """Catches tiles decoded to the wrong place, feathers that do not sum to one, and a batch that is mixed up."""
    z = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    calls = []

    def decode(part: torch.Tensor) -> torch.Tensor:
        calls.append(part.shape[-2:])
        return part.repeat_interleave(4, dim=-2).repeat_interleave(4, dim=-1) * 2

    assert torch.allclose(decode_tiled(decode, z, factor=4), decode(z), atol=1e-5)
    assert max(max(shape) for shape in calls[:-1]) <= 64


# --- padding ---


@pytest.mark.parametrize(("size", "wanted"), [((5, 7), (16, 16)), ((1, 3), (4, 9)), ((6, 1), (6, 8)), ((9, 9), (9, 9))])
def test_padding_mirrors_as_numpy_does(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Catches a repeated border pixel, and images smaller than their padding."""
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(2))
    pads = [(0, 0), (0, 0), *((0, out - length) for length, out in zip(size, wanted, strict=True))]
    assert np.array_equal(mirrored(image, wanted).numpy(), np.pad(image.numpy(), pads, mode="reflect"))


def test_padded_sizes_are_the_next_multiples() -> None:
    assert to_multiple((64, 65), 64) == (64, 128)
    assert to_multiple((3, 520), 64, smallest=512) == (512, 576)
    with pytest.raises(ValueError, match="cannot pad"):
        mirrored(torch.zeros(1, 1, 4, 4), (3, 8))


# --- colour ---


def _images(seed: int, size: tuple[int, int] = (40, 33)) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.rand(2, 2, 3, *size, generator=generator).unbind()
    return first, 0.3 + 0.5 * second


def test_low_frequencies_are_the_a_trous_planes_of_scipy() -> None:
    """Catches a hole that does not double, a kernel that does not sum to one, borders other than repeated ones."""
    image, _ = _images(0)
    expected = image.double().numpy()
    for level in range(5):
        taps = np.zeros(2 ** (level + 1) + 1)
        taps[[0, 2**level, -1]] = 0.25, 0.5, 0.25
        for axis in (2, 3):
            expected = correlate1d(expected, taps, axis=axis, mode="nearest")
    assert np.allclose(low_frequencies(image).numpy(), expected, atol=1e-6)


def test_wavelet_keeps_detail_and_takes_the_references_colours() -> None:
    """Catches the two images exchanged."""
    image, reference = _images(1)
    fixed = fix_colours(image, reference, "wavelet")
    assert torch.allclose(fixed - low_frequencies(reference), image - low_frequencies(image), atol=1e-5)
    assert torch.allclose(fix_colours(image + 0.2, image, "wavelet"), image, atol=1e-5)


def test_adain_matches_each_images_and_channels_mean_and_spread() -> None:
    """Catches statistics over the batch or over all channels, and a variance in the place of its root."""
    image, reference = _images(2)
    fixed = fix_colours(image, reference, "adain").numpy()
    assert np.allclose(fixed.mean((2, 3)), reference.numpy().mean((2, 3)), atol=1e-5)
    assert np.allclose(fixed.std((2, 3)), reference.numpy().std((2, 3)), atol=1e-5)
    flat = fix_colours(torch.full((1, 3, 4, 4), 0.5), reference[:1, :, :4, :4], "adain")
    assert torch.isfinite(flat).all()


def test_no_fix_changes_nothing_and_wrong_shapes_are_refused() -> None:
    image, reference = _images(3)
    assert fix_colours(image, reference, "none") is image
    for mode in ("wavelet", "adain"):
        with pytest.raises(ValueError, match="reference"):
            fix_colours(image, reference[..., 1:], mode)
