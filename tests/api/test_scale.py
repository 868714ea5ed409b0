"""Scales and sizes: what a nominal-grid or ceil rule, or a lenient parser, would get wrong."""

from __future__ import annotations

import math
import pickle
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bench.api import (
    RequestError,
    Scale,
    ScalePair,
    as_scale,
    effective_ratio,
    format_scale,
    format_times,
    lr_size,
    parse_factors,
    parse_scale,
    parse_scales,
    sr_size,
)


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1e1", "'1e1' is not a scale"),
        ("2x", "give 2 alone, or both factors"),
        ("x2", "give 2 alone, or both factors"),
        ("×2", "give 2 alone, or both factors"),
        ("1.5x2x3", "is not a scale"),
        ("1.5 x 2", "is not a scale"),
        ("0x2", "cannot be used"),
        ("2x0.99", "cannot be used"),
        ("-1x2", "is not a scale"),
        ("nanx2", "is not a scale"),
        ("4.", "is not a scale"),
        ("+4", "is not a scale"),
        ("1_0", "is not a scale"),
        ("٤", "is not a scale"),
        ("4.00000000001", "more than 10 digits.*; 4 is near"),
        ("1x4.00000000001", "more than 10 digits"),
        ("12345678901", "more than 10 digits"),
        ("1" * 5000, "more than 10 digits"),
    ],
)
def test_odd_scales_are_refused_by_name(text: str, said: str) -> None:
    """Wrong: `float()`, which takes exponents, underscores and digits of all scripts, and any number of digits."""
    with pytest.raises(RequestError, match=said):
        parse_scale(text)


def test_scales_that_print_alike_are_one() -> None:
    """Wrong: a pair of equal factors beside the number, or 4 and 4.00 as two."""
    assert parse_scales("4,4.0,04.00,4x4.0,1.5x2,1.50x2.000,2x1.5") == (
        4.0,
        ScalePair(1.5, 2.0),
        ScalePair(2.0, 1.5),
    )
    assert all(type(parse_scale(text)) is float for text in ("4x4", "4.0"))


decimals = st.decimals(1, 999, places=3, allow_nan=False)


@given(h=decimals, w=decimals)
def test_the_printed_scale_is_the_scale(h: Decimal, w: Decimal) -> None:
    """Wrong: a print of fewer digits than are kept, so that two scales share a file."""
    scale = parse_scale(f"{h}x{w}")
    assert parse_scale(format_scale(scale)) == scale
    assert tuple(map(Decimal, format_scale(scale).split("x"))) == ((h, w) if h != w else (h,))
    assert hash(pickle.loads(pickle.dumps(scale))) == hash(scale)


@given(st.lists(st.one_of(decimals.map(float), st.tuples(decimals, decimals).map(as_scale)), min_size=2))
def test_scales_have_one_order_whatever_stands_first(scales: list[Scale]) -> None:
    """Wrong: an order in which a pair and the number of its geometric mean are neither before nor equal."""
    backwards = scales[::-1]
    assert sorted(scales) == sorted(backwards)
    assert all((a < b) + (a == b) + (b < a) == 1 for a, b in pairwise(scales))


def test_a_pair_is_no_number() -> None:
    """Wrong: a float subclass, which json, numpy and format would turn into its mean without a word."""
    pair = ScalePair(1.5, 2)
    for use in (float, math.ceil, lambda p: p * 2, lambda p: f"{p:g}", np.float64):
        with pytest.raises(TypeError):
            use(pair)  # type: ignore[operator]
    assert (np.float64(2.0) == pair, np.float64(2.0) > pair) == (False, True)
    with pytest.raises(AttributeError, match="immutable"):
        pair.height = 3.0
    with pytest.raises(ValueError, match="no pair"):
        ScalePair(2, 2.0)


@pytest.mark.parametrize(
    ("value", "scale"),
    [(4, 4.0), (0.1 * 23, 2.3), (np.int64(3), 3.0), ("1.50", 1.5), ((1.5, 2), ScalePair(1.5, 2)), ([2, 2.0], 2.0)],
)
def test_python_values_are_read_as_what_was_meant(value: object, scale: Scale) -> None:
    """Wrong: 0.1 * 23 refused for its sixteen digits, or kept with them."""
    assert as_scale(value) == scale


@pytest.mark.parametrize("value", [True, None, 10 / 3, math.nan, math.inf, (1, 2, 3), ("1x2", 3), {}, 0.5])
def test_python_values_that_are_no_scale_are_refused(value: object) -> None:
    """Wrong: `True` as 1, or 10/3 rounded to what is printed of it."""
    with pytest.raises(RequestError):
        as_scale(value)


def test_sizes_of_a_pair_follow_each_axis() -> None:
    """Wrong: width x height, or the mean on both axes."""
    pair = parse_scale("1.5x4")
    assert lr_size((480, 321), pair) == (320, 80)
    assert lr_size((480, 321), pair, "ceil") == (320, 81)
    assert sr_size((320, 80), pair) == (480, 320)


def test_stored_scales_are_numbers_or_texts_of_pairs() -> None:
    """Wrong: a pair stored as a list or a mapping, or the text "4" read as a pair."""
    adapter = TypeAdapter(Scale)
    for text, scale in (("3.6", 3.6), ('"1.5x2"', ScalePair(1.5, 2))):
        assert adapter.validate_json(text, strict=True) == scale
        assert adapter.dump_json(scale) == text.encode()
    for text in ('"4"', '"4x4"', "[1.5,2]", '"x"', "true", "null"):
        with pytest.raises(ValidationError):
            adapter.validate_json(text, strict=True)


def test_what_needs_one_factor_refuses_pairs_by_name() -> None:
    """Wrong: the mean of a pair taken in silence."""
    assert parse_factors("2,3.6", "--scales") == (2.0, 3.6)
    with pytest.raises(RequestError, match=r"--scales 2,1\.5x2: 1\.5x2 has a factor per axis"):
        parse_factors("2,1.5x2", "--scales")
    assert (format_times(3.6), format_times(ScalePair(1.5, 2))) == ("×3.6", "×1.5×2")
