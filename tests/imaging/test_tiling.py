"""Tiling: weights that sum to one, exactness where the geometry allows it, and falling back when memory runs out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.imaging import ImageError, tiled, with_backoff
from bench.imaging.tiles import plan_axis
from bench.imaging.tiling import is_out_of_memory


def bicubic(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return torch.nn.functional.interpolate(lr[None], size=size, mode="bicubic", align_corners=False)[0]


def image(height: int, width: int) -> torch.Tensor:
    return torch.rand((3, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@settings(deadline=None, max_examples=300)
@given(
    length=st.integers(1, 500),
    ratio=st.floats(0.6, 31),
    overlap=st.integers(0, 24),
    spare=st.integers(2, 150),
)
@example(length=160, ratio=1.2890625, overlap=0, spare=2)  # a pixel centre on a seam, rounded to its left
def test_weights_sum_to_one_and_tiles_keep_their_overlap(length, ratio, overlap, spare):
    """Catches a seam that nobody covers, feathers of three tiles meeting, tiles longer than asked for."""
    out, tile = max(1, round(length * ratio)), 2 * overlap + spare
    spans = plan_axis(length, out, tile=tile, overlap=overlap)
    total = np.zeros(out)
    for span in spans:
        total[slice(*span.hr)] += span.weights
        assert span.lr[1] - span.lr[0] <= tile
        assert len(span.weights) == span.hr[1] - span.hr[0] > 0
        assert span.misfit <= 0.5
    np.testing.assert_allclose(total, 1, atol=1e-12)
    for left, right in pairwise(spans):
        assert left.lr[1] - right.lr[0] >= overlap
    assert (spans[0].lr[0], spans[-1].lr[1]) == (0, length)


@pytest.mark.parametrize(("ratio", "exact"), [(2, True), (30, True), (2.5, True), (3.2, True), (10.7, True)])
def test_cuts_lie_on_the_grid_where_the_ratio_allows_it(ratio, exact):
    """Catches rounding a tile's size and thereby shifting its pixels."""
    length = 400
    spans = plan_axis(length, round(length * ratio), tile=128, overlap=16)
    assert len(spans) > 2
    assert (max(span.misfit for span in spans) < 1e-9) is exact


def test_awkward_ratios_stay_within_a_fraction_of_a_pixel():
    """Catches cuts that are not searched for: they would be off by up to half a pixel."""
    for out in (1347, 1699, 2221):
        spans = plan_axis(408, out, tile=128, overlap=16)
        assert max(span.misfit for span in spans) < 0.1


@pytest.mark.parametrize("size", [(240, 300), (300, 375), (384, 480), (360, 300)])
def test_local_function_gives_the_untiled_image(size):
    """Catches shifted tiles, swapped axes and border effects leaking in: bicubic needs 2 LR pixels of context."""
    lr = image(120, 150)
    whole = bicubic(lr, size)
    got = tiled(bicubic, lr, size, tile=48, overlap=16)
    torch.testing.assert_close(got, whole, atol=1e-9, rtol=0)


def test_border_effects_within_a_quarter_of_the_overlap_vanish():
    """Catches feathering over the whole overlap, which lets every tile's spoilt edge through."""

    def spoilt(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        result = lr.repeat_interleave(2, 1).repeat_interleave(2, 2).clone()
        for edge in (result[:, :8], result[:, -8:], result[:, :, :8], result[:, :, -8:]):
            edge += 100
        return result

    lr = image(100, 130)
    got = tiled(spoilt, lr, (200, 260), tile=40, overlap=16)
    plain = lr.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(got[:, 8:-8, 8:-8], plain[:, 8:-8, 8:-8], atol=1e-9, rtol=0)


def test_constant_image_stays_constant_at_an_awkward_ratio():
    got = tiled(bicubic, torch.full((3, 97, 113), 0.25), (1347, 1000), tile=32, overlap=16)
    torch.testing.assert_close(got, torch.full((3, 1347, 1000), 0.25), atol=1e-6, rtol=0)


def test_seams_are_feathered():
    """Catches hard seams: tiles that differ by a constant must blend without a jump."""
    level = iter(range(100))

    def tile_number(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return torch.full((3, *size), float(next(level)))

    got = tiled(tile_number, image(30, 200), (120, 800), tile=64, overlap=16)
    assert got[0].diff(dim=1).abs().max() < 0.05
    assert got.max() > 2


def test_small_images_are_one_tile():
    sizes = []

    def record(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        sizes.append((tuple(lr.shape), size))
        return bicubic(lr, size)

    tiled(record, image(20, 30), (50, 71), tile=64)
    assert sizes == [((3, 20, 30), (50, 71))]


def test_no_tile_is_larger_or_much_smaller_than_asked_for():
    """Catches a last tile of a few columns, in which a network sees nothing."""
    for length in range(129, 400):
        spans = plan_axis(length, 4 * length, tile=64, overlap=16)
        assert min(span.lr[1] - span.lr[0] for span in spans) >= 64 - 2 * 12


def test_a_tile_of_the_wrong_size_is_reported():
    """Catches resizing or broadcasting it silently."""
    with pytest.raises(ImageError, match=r"expected a tile of .*got \(3, 1, 1\)"):
        tiled(lambda lr, size: torch.zeros((3, 1, 1)), image(90, 90), (180, 180), tile=40)


def test_senseless_requests_are_refused():
    for lr, size, tile in ((image(9, 9)[0], (9, 9), 8), (image(9, 9), (0, 9), 8), (image(9, 9), (9, 9), 1)):
        with pytest.raises(ImageError, match="expected"):
            tiled(bicubic, lr, size, tile=tile)
    with pytest.raises(ValueError, match="twice the overlap"):
        plan_axis(10, 20, tile=10, overlap=6)


@pytest.mark.parametrize(
    "fault",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("not enough memory: you tried to allocate 99 bytes"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_backs_off_until_it_fits_and_says_with_which_tile(fault):
    """Catches an out-of-memory message that is not recognised, and reporting the tile that failed."""
    tried = []

    def hungry(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        tried.append(max(lr.shape[1:]))
        if max(lr.shape[1:]) > 60:
            raise fault
        return bicubic(lr, size)

    lr = image(120, 200)
    got, tile = with_backoff(hungry, lr, (300, 500))
    assert tile == 50
    assert tried[:3] == [200, 100, 50]
    torch.testing.assert_close(got, bicubic(lr, (300, 500)), atol=1e-9, rtol=0)


def test_whole_image_reports_no_tile():
    lr = image(40, 50)
    assert with_backoff(bicubic, lr, (80, 100))[1] is None
    assert with_backoff(bicubic, lr, (80, 100), tile=50)[1] is None
    assert with_backoff(bicubic, lr, (80, 100), tile=40)[1] == 40


def test_gives_up_at_the_smallest_tile_with_the_original_error():
    """Catches an endless loop."""
    sides = []

    def hopeless(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        sides.append(max(lr.shape[1:]))
        raise MemoryError("none left")

    with pytest.raises(MemoryError, match="none left"):
        with_backoff(hopeless, image(100, 100), (200, 200), smallest=32)
    assert sides == [100, 50, 32]


def test_other_errors_pass_through_at_once():
    """Catches hiding a bug behind ever smaller tiles."""
    calls = []

    def broken(lr: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        calls.append(1)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        with_backoff(broken, image(100, 100), (200, 200))
    assert len(calls) == 1
    assert not is_out_of_memory(ValueError("out of memory"))
