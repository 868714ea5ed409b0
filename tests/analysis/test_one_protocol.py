"""Refusing to mix signatures, and the lines that say how numbers were made."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import Selection, check_one_protocol, select
from bench.analysis.signatures import signature_lines
from bench.api import SUMMARY_COLUMNS, RequestError, get_protocol

Y = "psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"
RGB = "psnr|rgb|shave:0|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"


def _rows(*triples: tuple[str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(triples, columns=pd.Index(["metric", "scale", "signature"]))


def _summary(*triples: tuple[str, float, str]) -> pd.DataFrame:
    lines = [("m", "", "Set5", s, metric, 1.0, None, 1, 1, 0, 1, sign, "", "", "", "") for metric, s, sign in triples]
    return pd.DataFrame(lines, columns=pd.Index(SUMMARY_COLUMNS))


def test_mixture_names_exactly_the_tokens_that_differ():
    protocols = {Y: ("basicsr-y",), RGB: ("sample",)}
    with pytest.raises(RequestError) as fault:
        check_one_protocol(_rows(("psnr", 2.0, Y), ("psnr", 2.0, RGB)), protocols)
    text = str(fault.value)
    assert "psnr: y601s vs rgb, shave:s vs shave:0;" in text
    assert "--protocol basicsr-y or --protocol sample" in text
    assert "agg" not in text


def test_mixture_across_scales_is_a_mixture_too():
    with pytest.raises(RequestError, match=r"y601s vs rgb"):
        check_one_protocol(_rows(("psnr", 2.0, Y), ("psnr", 4.0, RGB)), {})
    with pytest.raises(RequestError, match=r"y601s vs rgb"):
        check_one_protocol(_rows(("psnr", 2.0, Y), ("psnr", 4.0, RGB)), {Y: ("basicsr-y",), RGB: ("sample",)})


def test_shave_is_no_token_that_may_differ_between_scales():
    """Catches "shave" among the tokens that one protocol may change with the scale: x2 of shave s beside x4 of none."""
    none = Y.replace("shave:s", "shave:0")
    with pytest.raises(RequestError, match=r"psnr: shave:s vs shave:0;"):
        check_one_protocol(_rows(("psnr", 2.0, Y), ("psnr", 4.0, none)), {})


def test_metrics_of_two_protocols_do_not_share_a_table():
    ssim = "ssim|rgb|shave:0|v1"
    with pytest.raises(RequestError, match="psnr under basicsr-y vs ssim under sample"):
        check_one_protocol(_rows(("psnr", 2.0, Y), ("ssim", 2.0, ssim)), {Y: ("basicsr-y",), ssim: ("sample",)})


def test_lr_may_change_with_the_scale_within_one_protocol():
    protocol = get_protocol("liif-benchmark")
    signs = {s: "|".join(["psnr", "y601s", *protocol.pair_tokens(s), "v1"]) for s in (2.0, 4.0, 8.0)}
    rows = _rows(*(("psnr", s, sign) for s, sign in signs.items()))
    assert check_one_protocol(rows, dict.fromkeys(signs.values(), ("liif-benchmark",))) == ("liif-benchmark",)
    assert check_one_protocol(rows, {}) == ()
    lines = signature_lines(rows)
    assert [line.scales for line in lines] == [(2.0, 4.0), (8.0,)]
    assert "lr:matlab-bicubic" in lines[0].signature
    assert "lr:pillow-bicubic" in lines[1].signature


def test_signature_shared_by_two_protocols_takes_the_common_one():
    niqe = "niqe|yiq-u8|v1"
    rows = _rows(("psnr", 2.0, Y), ("niqe", 2.0, niqe))
    assert check_one_protocol(rows, {Y: ("basicsr-y",), niqe: ("sample", "basicsr-y")}) == ("basicsr-y",)


def test_rows_without_signature_are_no_mixture():
    assert check_one_protocol(_rows(("psnr", 2.0, Y), ("psnr", 2.0, "")), {Y: ("basicsr-y",)}) == ("basicsr-y",)


@given(st.sampled_from([2.0, 3.0]), st.sampled_from([2.0, 3.0]), st.sampled_from(["y601s", "rgb"]))
def test_any_two_colours_are_refused(one, other, colour):
    rows = _rows(("psnr", one, f"psnr|{colour}|v1"), ("psnr", other, "psnr|yiq-u8|v1"))
    with pytest.raises(RequestError, match="yiq-u8"):
        check_one_protocol(rows, {})


def test_selection_by_protocol_and_by_tokens_leaves_one():
    summary = _summary(("psnr", 2.0, Y), ("psnr", 2.0, RGB), ("niqe", 2.0, "niqe|yiq-u8"))
    protocols = {Y: ("basicsr-y",), RGB: ("sample",), "niqe|yiq-u8": ("sample", "basicsr-y")}
    assert list(select(summary, Selection(protocol="sample"), protocols=protocols)["signature"]) == [
        RGB,
        "niqe|yiq-u8",
    ]
    by_token = select(summary, Selection(signature=("y601s", "shave:s")))
    assert list(by_token["signature"]) == [Y, "niqe|yiq-u8"]
    with pytest.raises(RequestError, match="no signature of this run"):
        select(summary, Selection(signature=("y709",)))


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(metrics=("pnsr",)), "Did you mean 'psnr'"),
        (Selection(datasets=("Set55",)), "Did you mean 'Set5'"),
        (Selection(scales=(3.0,)), "it holds 2"),
        (Selection(protocol="sampel"), "Did you mean 'sample'"),
    ],
)
def test_unknown_names_are_answered_with_a_suggestion(selection, words):
    with pytest.raises(RequestError, match=words):
        select(_summary(("psnr", 2.0, Y)), selection, protocols={Y: ("sample",)})


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("y601s|shave:s", "rgb|shave:0", "y601s vs rgb, shave:s vs shave:0"),
        ("lr:matlab-bicubic", "lr:real-esrgan-light@0", "lr:matlab-bicubic vs lr:real-esrgan-light@0"),
        ("|v1", "|alpha:white|v1", "- vs alpha:white"),
    ],
)
def test_two_protocols_of_one_name_are_a_mixture_across_scales(old: str, new: str, words: str) -> None:
    """Catches a name that is taken for proof: a file that was changed, or `--degradation` at one of two scales."""
    other = Y.replace(old, new)
    with pytest.raises(RequestError) as fault:
        check_one_protocol(_rows(("psnr", 2.0, Y), ("psnr", 3.0, other)), dict.fromkeys((Y, other), ("mine",)))
    assert words in str(fault.value)


def test_given_lr_is_no_bridge_between_two_ways_of_making_it() -> None:
    """Catches signatures that are each held against the first alone, which a set with its own LR may be."""
    given, drawn = (Y.replace("lr:matlab-bicubic", f"lr:{how}") for how in ("given", "real-esrgan@0"))
    rows = _rows(("psnr", 2.0, given), ("psnr", 3.0, Y), ("psnr", 4.0, drawn))
    with pytest.raises(RequestError, match="lr:matlab-bicubic vs lr:real-esrgan@0"):
        check_one_protocol(rows, {})
    pillow = Y.replace("matlab", "pillow")
    sets = _rows(("psnr", 2.0, given), ("psnr", 2.0, Y), ("psnr", 2.0, pillow)).assign(dataset=["A", "B", "C"])
    with pytest.raises(RequestError, match="lr:matlab-bicubic vs lr:pillow-bicubic"):
        check_one_protocol(sets, {})
