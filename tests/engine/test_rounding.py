"""Rounding of SR to the depth that a protocol stores and scores."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.api import get_protocol
from bench.engine.rounding import quantise
from bench.engine.scoring import as_scored

RGB = get_protocol("sample")
FLOAT = get_protocol("liif-div2k")
LUMA = get_protocol("classic-y")


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
