"""Rounding of SR, and the checks on what a method gives back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.api import (
    Method,
    MethodInfo,
    MethodOptions,
    MethodSpec,
    RequestError,
    Size,
    Tiling,
    UnitError,
    Upscaled,
    get_protocol,
)
from bench.engine.inference import Runner
from bench.engine.request import MethodChoice
from bench.engine.rounding import quantise
from bench.engine.scoring import as_scored

RGB = get_protocol("sample")
FLOAT = get_protocol("liif-div2k")
LUMA = get_protocol("classic-y")


class Mock(Method):
    """Returns what the class attribute says."""

    info: ClassVar[MethodInfo] = MethodInfo(name="mock", display="Mock", summary="", tiling=Tiling.NONE)
    answer: ClassVar[object] = None

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        if isinstance(Mock.answer, Exception):
            raise Mock.answer
        if callable(Mock.answer):
            return Upscaled(Mock.answer(lr, size))
        return Upscaled(torch.full((3, *size), 0.5))


def make_runner() -> Runner:
    spec = MethodSpec(info=Mock.info, factory=f"{__name__}:Mock", root=Path(__file__))
    return Runner(MethodChoice(spec, None, MethodOptions(), "", True), device="cpu")


def infer(answer: object) -> None:
    Mock.answer = answer
    lr = np.zeros((4, 5, 3), np.float32)
    make_runner().infer(lr, (8, 10), RGB, image="a", scale=2.0, seed=0)


def test_a_wrong_size_is_refused_and_never_resized() -> None:
    with pytest.raises(UnitError, match=r"returned shape \(3, 9, 10\), expected \(3, 8, 10\)"):
        infer(lambda _, size: torch.zeros(3, size[0] + 1, size[1]))


def test_nan_is_refused_with_its_count() -> None:
    def answer(_: torch.Tensor, size: Size) -> torch.Tensor:
        image = torch.zeros(3, *size)
        image[0, 0, 0] = float("nan")
        image[1, 0, 0] = float("inf")
        return image

    with pytest.raises(UnitError, match="NaN or infinite values in 2 of 240"):
        infer(answer)


def test_an_exception_of_a_method_is_a_failed_unit_with_its_type() -> None:
    with pytest.raises(UnitError, match="mock raised ZeroDivisionError: by zero"):
        infer(ZeroDivisionError("by zero"))


def test_a_missing_cuda_device_is_the_requests_fault() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    spec = MethodSpec(info=Mock.info, factory=f"{__name__}:Mock", root=Path(__file__))
    with pytest.raises(RequestError, match="--device cpu"):
        Runner(MethodChoice(spec, None, MethodOptions(), "", True), device="cuda")


def test_halves_round_up_and_the_range_is_clipped() -> None:
    sr = np.array([-0.1, 0.5 / 255, 1.5 / 255, 2.5 / 255, 1.2], np.float32)
    sr = np.broadcast_to(sr, (3, 1, 5))
    assert quantise(sr, RGB)[0, :, 0].tolist() == [0, 1, 2, 3, 255]
    trunc = dataclasses.replace(RGB, sr_depth="u8-trunc")
    assert quantise(sr, trunc)[0, :, 0].tolist() == [0, 0, 1, 2, 255]


def test_a_luma_protocol_gives_one_plane() -> None:
    sr = np.full((3, 4, 5), 100 / 255, np.float32)
    assert quantise(sr, LUMA).shape == (4, 5)
    assert quantise(sr, LUMA).max() == 100


@given(st.integers(0, 2**31))
def test_rounding_through_16_bit_equals_rounding_to_8_bit_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    near = rng.integers(0, 255, (3, 16, 16)) + 0.5 + rng.normal(0, 2e-3, (3, 16, 16))
    sr = np.where(rng.random((3, 16, 16)) < 0.5, near / 255, rng.uniform(-0.1, 1.1, (3, 16, 16))).astype(np.float32)
    assert (as_scored(quantise(sr, FLOAT), RGB) == quantise(sr, RGB)).all()
