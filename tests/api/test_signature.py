"""Signatures taken apart and compared: every difference is seen, and only what may differ is let through."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.api import Averaging, MetricRef, Signature, metric, signature

PSNR = "psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"
PI = "pi|y601s-u8|k:f32|w:aaaa|w:bbbb|shave:4|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"

_TOKENS = st.lists(st.sampled_from(["rgb", "y601s", "shave:0", "shave:s", "q:u8", "v1", "w:ab12"]), max_size=6)


def _differences(first: str, second: str) -> list[tuple[str, str]]:
    found = Signature.parse(first).differences(Signature.parse(second))
    return [(difference.first, difference.second) for difference in found]


@given(_TOKENS, _TOKENS)
def test_differences_are_empty_only_for_equal_signatures(a: list[str], b: list[str]) -> None:
    first, second = "|".join(["psnr", *dict.fromkeys(a)]), "|".join(["psnr", *dict.fromkeys(b)])
    found = _differences(first, second)
    assert _differences(first, first) == []
    assert _differences(second, first) == [] or found
    for mine, theirs in found:
        assert mine != theirs
        assert mine == "-" or mine in first.split("|")
        assert theirs == "-" or theirs in second.split("|")


@pytest.mark.parametrize("text", [PSNR, PI, "", "niqe", "pyiqa:musiq|rgb|in:full|v1", "odd||token|"])
def test_what_is_read_is_written_back(text: str) -> None:
    """Catches a reader that drops empty or repeated tokens: stored signatures would no longer equal made ones."""
    assert Signature.parse(text).text == text


def test_both_hashes_of_a_metric_with_two_are_compared() -> None:
    """Catches tokens kept by name alone: PI signs the parameters of NRQM and of NIQE, both as w:."""
    assert _differences(PI, PI.replace("w:aaaa", "w:cccc")) == [("w:aaaa", "w:cccc")]
    assert _differences(PI, PI.replace("w:bbbb", "w:cccc")) == [("w:bbbb", "w:cccc")]


def test_a_token_more_is_one_difference() -> None:
    """Catches unnamed tokens that are matched by their place alone, so that "clamp" seems to change the version."""
    assert _differences("ssim|rgb|shave:s|v1", "ssim|rgb|clamp|shave:s|v1") == [("-", "clamp")]


def test_a_metric_with_a_colon_is_no_named_token() -> None:
    """Catches `pyiqa:musiq` read as a token "pyiqa", which `without` would remove."""
    signature = Signature.parse("pyiqa:musiq|rgb|in:full|v1")
    assert signature.metric == "pyiqa:musiq"
    assert signature.value("pyiqa") is None
    assert signature.without("pyiqa") == signature


@pytest.mark.parametrize(
    ("change", "scale", "dataset"),
    [
        (("lr:matlab-bicubic", "lr:pillow-bicubic"), True, False),
        (("lr:matlab-bicubic", "lr:given"), True, True),
        (("lr:matlab-bicubic", "lr:real-esrgan@0"), False, False),
        (("w:aaaa", "w:cccc"), True, False),
        (("shave:4", "shave:0"), False, False),
        (("q:u8", "q:none"), False, False),
        (("|w:bbbb", ""), False, False),
        (("|v1", "|n:5|v1"), False, False),
        (("v1", "v2"), False, False),
    ],
)
def test_only_what_may_differ_between_scales_or_sets_is_let_through(
    change: tuple[str, str], scale: bool, dataset: bool
) -> None:
    """Catches a set of free tokens that grew (shave, q) or that lets a token come and go."""
    one, other = Signature.parse(PI), Signature.parse(PI.replace(*change))
    assert one.fits_other_scale(other) is other.fits_other_scale(one) is scale
    assert one.fits_other_dataset(other) is other.fits_other_dataset(one) is dataset


def test_numbers_of_images_may_differ_between_sets_and_scales() -> None:
    five, six = Signature.parse("fid|rgb|n:5|v1"), Signature.parse("fid|rgb|n:6|v1")
    assert five.fits_other_dataset(six)
    assert five.fits_other_scale(six)


@pytest.mark.parametrize(
    ("token", "averaging"),
    [
        ("agg:img", Averaging()),
        ("agg:img-first100", Averaging(first=100)),
        ("agg:batch8-mse", Averaging("batch8-mse")),
        ("agg:batch8-mse-first2", Averaging("batch8-mse", 2)),
        ("agg:the-first", Averaging("the-first")),
    ],
)
def test_averaging_is_read_as_it_is_written(token: str, averaging: Averaging) -> None:
    """Catches a reader and a writer of "agg:" that drift apart."""
    assert averaging.token == token
    assert Signature.parse(f"psnr|rgb|{token}|v1").averaging == averaging


def test_a_signature_that_does_not_say_is_averaged_plainly() -> None:
    assert Signature.parse("theirs|v1").averaging == Averaging()
    assert Signature.parse("").averaging == Averaging()


@pytest.mark.parametrize("text", ["selfssim@8", "selfssim@3.6", "selfssim_msssim_nn@24", "pyiqa:musiq", "psnr", "a@b"])
def test_a_metric_reference_is_written_as_it_is_read(text: str) -> None:
    """Catches a scale that is printed as 8.0, and a name that is cut at any "@"."""
    assert str(MetricRef.parse(text)) == text
    assert (MetricRef.parse(text).reference is None) == (text in ("pyiqa:musiq", "psnr", "a@b"))


@given(st.floats(1, 1e6, allow_nan=False).map(lambda value: float(f"{value:.6g}")))
def test_every_reference_scale_comes_back(scale: float) -> None:
    assert MetricRef.parse(str(MetricRef("selfssim", scale))) == MetricRef("selfssim", scale)


@pytest.mark.parametrize("module", [metric, signature])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    """Catches an example that says other than the code does."""
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0
