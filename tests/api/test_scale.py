"""Scales and sizes: what a nominal-grid or ceil rule, or a lenient parser, would get wrong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.api import RequestError, effective_ratio, format_scale, lr_size, parse_scale, parse_scales, sr_size


@pytest.mark.parametrize("text", ["0", "-2", "nan", "inf", "0.5", "8;12", "", "x4", "1e400"])
def test_bad_scales_are_refused_with_a_next_step(text: str) -> None:
    with pytest.raises(RequestError, match="scales are numbers"):
        parse_scales(text)


def test_list_keeps_order_and_drops_repetitions() -> None:
    assert parse_scales("8, 12,8.0,3.6") == (8.0, 12.0, 3.6)


def test_names_show_no_trailing_zero() -> None:
    assert [format_scale(parse_scale(t)) for t in ("4.0", "3.60", "10.7")] == ["4", "3.6", "10.7"]


def test_sizes_follow_liif_floor_crop() -> None:
    # LIIF: h_lr = floor(480 / 3.3 + 1e-9) = 145, HR cropped to round(145 * 3.3) = 478 (or 479 by ceil rules)
    assert lr_size((480, 321), 3.3) == (145, 97)
    assert sr_size((145, 97), 3.3) == (478, 320)


def test_epsilon_saves_sizes_that_divide_exactly() -> None:
    # 3.3 * 100 = 330 but 330 / 3.3 is 99.99999999999999 in floating point on some sizes
    assert lr_size((330, 33), 3.3) == (100, 10)


@given(h=st.integers(8, 4000), w=st.integers(8, 4000), s=st.floats(1, 8))
def test_the_crop_never_exceeds_the_source_and_the_ratio_is_near_the_scale(h: int, w: int, s: float) -> None:
    lr = lr_size((h, w), s)
    sr = sr_size(lr, s)
    assert sr[0] <= h
    assert sr[1] <= w
    for ratio, side in zip(effective_ratio(lr, sr), lr, strict=True):
        assert math.isclose(ratio, s, abs_tol=0.5 / side + 1e-9)
