"""The base class for networks of fixed scales: which passes run, and how the exact size is reached."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from bench.api import FixedScale, MethodInfo, RequestError, Size, Tiling, UnitError
from bench.api.fixed_scale import smallest_cascade
from bench.imaging import imresize

LR = torch.rand(3, 10, 14, generator=torch.Generator().manual_seed(0))


class Net(FixedScale):
    """A local "network" that notes what it was asked for."""

    info: ClassVar[MethodInfo] = MethodInfo(name="net", display="Net", summary="s")
    scales = (2, 3, 4)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[tuple[int, ...], int]] = []

    def enlarge(self, x: torch.Tensor, s: int) -> torch.Tensor:
        self.asked.append((tuple(x.shape), s))
        return interpolate(x, scale_factor=s, mode="bicubic")


class TiledNet(Net):
    """The same, which may be split."""

    info = MethodInfo(name="net", display="Net", summary="s", tiling=Tiling.INTERNAL)

    @property
    def tile(self) -> int | None:
        return 24


def by_matlab(image: torch.Tensor, size: Size) -> np.ndarray:
    return imresize(image.permute(1, 2, 0).double().numpy(), size).transpose(2, 0, 1)


@given(st.sets(st.integers(2, 6), min_size=1, max_size=3), st.floats(1.01, 40))
def test_the_passes_have_the_smallest_sufficient_product_of_all(scales: set[int], ratio: float) -> None:
    """Catches the nearest product, the largest scale again and again, and a pass more than is needed."""
    passes = smallest_cascade(tuple(scales), ratio)
    every = [
        chosen
        for count in range(1, 7)
        for chosen in itertools.combinations_with_replacement(sorted(scales), count)
        if math.prod(chosen) >= ratio
    ]
    best = min(math.prod(chosen) for chosen in every)
    assert math.prod(passes) == best
    assert len(passes) == min(len(chosen) for chosen in every if math.prod(chosen) == best)
    assert list(passes) == sorted(passes, reverse=True)


@pytest.mark.parametrize(
    ("ratio", "passes"), [(1, ()), (0.5, ()), (3 + 1e-12, (3,)), (7 / 3 * 3, (4, 2)), (30, (4, 4, 2))]
)
def test_a_ratio_that_is_whole_but_for_rounding_takes_its_own_scale(ratio: float, passes: tuple[int, ...]) -> None:
    assert smallest_cascade((2, 3, 4), ratio) == passes


@pytest.mark.parametrize("s", [2, 3, 4])
def test_its_own_scales_are_the_networks_output_untouched(s: int) -> None:
    """Catches a resize, a cast or a clip of what is right already."""
    result = Net().upscale(LR, (10 * s, 14 * s), seed=0)
    assert torch.equal(result.image, interpolate(LR[None], scale_factor=s, mode="bicubic")[0])
    assert result.stages == ()


@pytest.mark.parametrize(
    ("size", "asked"),
    [
        ((36, 50), [4]),
        ((11, 15), [2]),
        ((50, 70), [3, 2]),
        ((20, 49), [4]),
        ((41, 56), [3, 2]),
        ((300, 420), [4, 4, 2]),
    ],
)
def test_another_size_is_matlabs_resize_of_the_last_pass(size: Size, asked: list[int]) -> None:
    """Catches torch's resize, one without antialiasing, a ratio of one axis alone, and passes on the LR image."""
    net = Net()
    result = net.upscale(LR, size, seed=0)
    assert [s for _, s in net.asked] == asked
    expected, shape = LR[None], [1, 3, 10, 14]
    for (seen, s), stage in zip(net.asked, result.stages, strict=True):
        assert list(seen) == shape
        expected = interpolate(expected, scale_factor=s, mode="bicubic")
        assert torch.equal(stage, expected[0])
        shape = list(expected.shape)
    assert np.abs(result.image.numpy() - by_matlab(expected[0], size)).max() < 1e-6


def test_a_size_below_the_lr_image_runs_no_pass() -> None:
    net = Net()
    assert np.abs(net.upscale(LR, (7, 9), seed=0).image.numpy() - by_matlab(LR, (7, 9))).max() < 1e-6
    same = net.upscale(LR, (10, 14), seed=0).image
    assert torch.equal(same, LR)
    assert same.data_ptr() != LR.data_ptr()
    assert net.asked == []


def test_passes_are_tiled_on_their_own_grid_at_any_ratio() -> None:
    """Catches tiles of the whole method, each of which would round to a size and to passes of its own."""
    lr = torch.rand(3, 50, 61, generator=torch.Generator().manual_seed(1))
    whole, tiled = Net(), TiledNet()
    a, b = whole.upscale(lr, (181, 222), seed=0), tiled.upscale(lr, (181, 222), seed=0)
    assert b.tile == 24
    assert {s for _, s in tiled.asked} == {4}
    assert max(side for shape, _ in tiled.asked for side in shape) <= 24
    assert float((a.image - b.image).abs().max()) < 1e-5


def test_the_rule_stands_in_the_info_and_names_the_scales() -> None:
    """Catches a table without the footnote, and a rule that replaces one's own."""
    assert "x2, x3 and x4" in Net.info.resize_rule
    assert "MATLAB's bicubic" in Net.info.resize_rule

    class One(Net):
        info = MethodInfo(name="one", display="One", summary="s", resize_rule="as I say")
        scales = (4,)

    assert One.info.resize_rule == "as I say"


@pytest.mark.parametrize("scales", [(), 2, (2.0, 3.0), (1, 2), (0,), (True,), "234"])
def test_scales_that_are_no_whole_numbers_are_refused_with_the_class(scales: object) -> None:
    with pytest.raises(RequestError, match=r"class Odd: scales = .*expected whole numbers above 1"):
        type("Odd", (Net,), {"scales": scales})


def test_tiles_of_the_harness_are_refused() -> None:
    info = MethodInfo(name="odd", display="Odd", summary="s", tiling=Tiling.SUPPORTED)
    with pytest.raises(RequestError, match=r"class Odd: .*tiling=Tiling\.INTERNAL"):
        type("Odd", (Net,), {"info": info})


def test_a_class_without_scales_says_so_when_it_is_used() -> None:
    class Bare(FixedScale):
        info: ClassVar[MethodInfo] = MethodInfo(name="bare", display="Bare", summary="s")

        def enlarge(self, x: torch.Tensor, s: int) -> torch.Tensor:
            return x

    with pytest.raises(RequestError, match="class Bare names no scales"):
        Bare().upscale(LR, (20, 28), seed=0)


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (lambda x: x, r"shape \(1, 3, 10, 14\)"),
        (lambda x: interpolate(x, scale_factor=2)[0], r"shape \(3, 20, 28\)"),
        (lambda _: None, "a NoneType"),
    ],
)
def test_a_pass_of_another_size_is_told_with_its_factor(answer: object, got: str) -> None:
    class Odd(Net):
        def enlarge(self, x: torch.Tensor, s: int) -> torch.Tensor:
            return answer(x)  # type: ignore[operator]

    wanted = rf"net: enlarge\(x, 2\) returned {got} for x of shape \(1, 3, 10, 14\), expected a tensor \(1, 3, 20, 28\)"
    with pytest.raises(UnitError, match=wanted):
        Odd().upscale(LR, (20, 28), seed=0)


def test_the_contracts_are_read_without_torch(tmp_path: Path) -> None:
    """Catches a base class that makes every command import torch."""
    code = "import sys, bench.api; sys.exit(bool({'torch', 'cv2', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
