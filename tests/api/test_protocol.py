"""Protocols: equal LR must mean equal pair ids, and every knob must show somewhere."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.api import (
    PRESETS,
    Direction,
    MetricInfo,
    MetricKind,
    Protocol,
    RequestError,
    derive_seed,
    get_protocol,
    parse_scale,
    unit_doubts,
    validity_warnings,
)
from bench.api import protocol as protocol_module
from bench.api.knobs import Half, label, pair, read_knobs
from bench.api.protocol import KNOBS

PAIR_IDS = {
    "sample": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "classic-y": ("c3d2a575ed6dd8f7", "c3d2a575ed6dd8f7", "c3d2a575ed6dd8f7"),
    "basicsr-y": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "liif-benchmark": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "2050b5a072649120"),
    "liif-div2k": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "2050b5a072649120"),
    "inr-assr": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "2050b5a072649120"),
    "thera": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "thera-y": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "gsasr": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "lut-y": ("7f6441d6a531e72f", "7f6441d6a531e72f", "7f6441d6a531e72f"),
    "pyiqa-default": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "face-kim": ("9bb15d8ca62be1ac", "9bb15d8ca62be1ac", "9bb15d8ca62be1ac"),
    "face-idm": ("79318be6b4e32bc2", "79318be6b4e32bc2", "79318be6b4e32bc2"),
    "casr": ("ba6e12a7fd3731ca", "ba6e12a7fd3731ca", "ba6e12a7fd3731ca"),
    "cassr": ("a20341acfb944f51", "a20341acfb944f51", "a20341acfb944f51"),
    "cassr-div2k": ("e31d8a254e135235", "e31d8a254e135235", "e31d8a254e135235"),
    "blind-assr": ("65989c29b2a78cee", "65989c29b2a78cee", "65989c29b2a78cee"),
}
"""The pair ids at x2, x4, x8 under which finished runs keep their images."""

COARSE = dataclasses.replace(get_protocol("sample"), coarse_above=3.0)
FIXED = get_protocol("face-kim")
PLANE = dataclasses.replace(get_protocol("sample"), plane="y")

CHANGED: dict[str, tuple[Protocol, object]] = {
    "downsampler": (get_protocol("sample"), "opencv-area"),
    "coarse_above": (COARSE, None),
    "coarse_downsampler": (COARSE, "torch-bicubic"),
    "lr_depth": (get_protocol("sample"), "float"),
    "degradation": (get_protocol("cassr"), "blind-assr"),
    "degradation_seed": (get_protocol("cassr"), 12),
    "lr_given": (get_protocol("sample"), True),
    "size_rule": (FIXED, "floor-crop"),
    "lr_side": (FIXED, 24),
    "lr_from": (FIXED, "source"),
    "plane": (get_protocol("sample"), "y"),
    "gray": (PLANE, "luma"),
    "hr_mod": (get_protocol("sample"), 12),
    "source_crop": (get_protocol("sample"), 12),
    "source_side": (get_protocol("sample"), 12),
    "alpha": (get_protocol("sample"), "white"),
}
"""Pair knob -> a protocol in which it matters, and another value."""


def test_design_presets_are_all_there() -> None:
    wanted = {
        "classic-y", "basicsr-y", "liif-benchmark", "liif-div2k", "pyiqa-default", "face-kim", "face-idm", "casr",
        "cassr", "cassr-div2k", "blind-assr", "sample", "inr-assr", "thera", "thera-y", "gsasr", "lut-y",
    }  # fmt: skip
    assert wanted == set(PRESETS)


def test_protocols_that_share_lr_share_the_pair_id() -> None:
    assert get_protocol("basicsr-y").pair_id(4) == get_protocol("sample").pair_id(4)
    assert get_protocol("basicsr-y").pair_id(4) == get_protocol("liif-benchmark").pair_id(4)


def test_pillow_above_x4_splits_the_pair_id() -> None:
    assert get_protocol("basicsr-y").pair_id(6) != get_protocol("liif-benchmark").pair_id(6)


def test_luma_protocol_never_shares_lr_with_an_rgb_one() -> None:
    assert get_protocol("classic-y").pair_id(2) != get_protocol("basicsr-y").pair_id(2)


@pytest.mark.parametrize("name", PAIR_IDS)
def test_pair_ids_of_finished_runs_stay(name: str) -> None:
    """Catches a knob that was moved into the other half, renamed or printed otherwise: stored images would be lost."""
    assert tuple(get_protocol(name).pair_id(scale) for scale in (2.0, 4.0, 8.0)) == PAIR_IDS[name]


def test_pair_ids_of_given_and_drawn_lr_stay() -> None:
    assert dataclasses.replace(get_protocol("sample"), lr_given=True).pair_id(4.0) == "dce810affc9c5fa6"
    assert get_protocol("blind-assr").drawn(3).pair_id(4.0) == "3181697f3749a90b"


def test_every_pair_knob_has_a_case_below() -> None:
    assert set(CHANGED) == {name for name, knob in KNOBS.items() if knob.half is Half.PAIR}


@pytest.mark.parametrize("field", CHANGED)
def test_every_pair_knob_changes_the_pair_id_and_the_signature(field: str) -> None:
    """Catches a knob of the scoring half that changes pixels, and one that no signature tells of."""
    base, value = CHANGED[field]
    other = dataclasses.replace(base, **{field: value})
    assert other.pair_id(4.0) != base.pair_id(4.0)
    assert other.pair_tokens(4.0) != base.pair_tokens(4.0)


def _with_knob(line: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The protocol's module with one more field, under another name."""
    text, before = Path(str(protocol_module.__file__)).read_text(encoding="utf-8"), "    hr_mod: int = field("
    assert text.count(before) == 1
    module = ModuleType("protocol_with_a_knob")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(text.replace(before, f"    {line}\n{before}"), "protocol.py", "exec"), module.__dict__)
    return module


def test_a_field_without_a_half_is_an_error_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a new knob that silently is in no half: it would change pixels and leave every key as it is."""
    with pytest.raises(TypeError, match="does not say which half it belongs to"):
        _with_knob("rotation: int = 0", monkeypatch)


def test_a_new_knob_is_one_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a second list of fields: one field with its metadata enters pair id, signature and differences."""
    made = _with_knob('rotation: int = field(default=0, metadata=pair("rot"))', monkeypatch).Protocol
    plain, turned = made(name="a", summary=""), made(name="b", summary="", rotation=90)
    assert plain.pair_id(2.0) != turned.pair_id(2.0)
    assert [t for t in turned.pair_tokens(2.0) if t not in plain.pair_tokens(2.0)] == ["rot:90"]
    assert plain.differences(turned) == {"rotation": (0, 90)}


def test_labels_are_no_knobs_and_a_token_of_changes_needs_a_default() -> None:
    @dataclasses.dataclass
    class Small:
        name: str = dataclasses.field(metadata=label())
        side: int = dataclasses.field(metadata=pair("side"))

    with pytest.raises(TypeError, match="needs a default"):
        read_knobs(Small)
    assert {"name", "summary", "source"}.isdisjoint(KNOBS)


def test_scoring_knobs_leave_the_pair_id_alone() -> None:
    base = get_protocol("sample")
    for name in (name for name, knob in KNOBS.items() if knob.half is Half.SCORING):
        assert dataclasses.replace(base, **{name: 7}).pair_id(4) == base.pair_id(4)


def test_shave_rounds_fractional_scales_up() -> None:
    assert get_protocol("classic-y").shave_at(3.6) == 4
    assert get_protocol("liif-div2k").shave_at(12) == 18


def test_shaves_of_the_presets_that_name_their_own() -> None:
    """Catches one border for both metrics (LeRF shaves PSNR only, by the scale cut to a whole number), a border that
    grows on above x8 (GSASR's does not), and an SSIM border that stays behind when `shave` changes."""
    lut, gsasr = get_protocol("lut-y"), get_protocol("gsasr")
    assert [lut.shave_at(scale) for scale in (1.5, 2, 3.9)] == [1, 2, 3]
    assert [lut.ssim_shave_at(scale) for scale in (1.5, 2, 3.9)] == [0, 0, 0]
    assert [gsasr.shave_at(scale) for scale in (2, 7.5, 8, 12, 30)] == [2, 8, 8, 8, 8]
    assert gsasr.ssim_shave_at(12) == 8
    assert dataclasses.replace(gsasr, shave=3).ssim_shave_at(12) == 3
    assert lut.shave_token() == "shave:floor-s"
    assert lut.ssim_shave_token() == "shave:0"


def test_a_pair_of_factors_has_a_border_per_axis() -> None:
    """Wrong: one border for both axes (the larger factor's, or the mean's), rows taken for columns, or two equal
    borders that are no longer one number."""
    pair = parse_scale("1.5x4")
    assert get_protocol("classic-y").shave_at(pair) == (2, 4)
    assert get_protocol("liif-div2k").shave_at(pair) == (8, 10)
    assert get_protocol("classic-y").shave_at(parse_scale("1.5x1.9")) == 2
    assert get_protocol("gsasr").shave_at(parse_scale("12x30")) == 8
    assert get_protocol("lut-y").shave_at(pair) == (1, 4)
    assert get_protocol("lut-y").ssim_shave_at(pair) == 0
    assert get_protocol("lut-y").widest_shave_at(pair) == (1, 4)
    crossed = dataclasses.replace(get_protocol("classic-y"), shave=3, ssim_shave="s")
    assert crossed.widest_shave_at(pair) == (3, 4)
    signed = get_protocol("classic-y")
    assert signed.scoring_tokens(pair) == signed.scoring_tokens(4)


def test_the_larger_factor_decides_the_downsampler() -> None:
    """Wrong: the mean (1.5 x 6 is x3) under a limit that one axis is beyond."""
    liif = get_protocol("liif-benchmark")
    assert liif.coarse_above == 4
    assert [liif.downsampler_at(parse_scale(text)) for text in ("1.5x6", "6x1.5", "4x1.5")] == [
        liif.coarse_downsampler,
        liif.coarse_downsampler,
        liif.downsampler,
    ]


def test_a_square_lr_has_no_scale_per_axis() -> None:
    """Wrong: a face squeezed along one axis, and scored."""
    square = get_protocol("face-idm")
    assert "no scale per axis" in square.refused(parse_scale("1.5x2"))
    assert square.refused(8) == ""
    assert get_protocol("sample").refused(parse_scale("1.5x2")) == ""


def test_doubts_hold_each_axis_against_its_own_border() -> None:
    """Wrong: the border of one axis held against the side of the other."""
    assert unit_doubts(lr=None, hr=(100, 400), shave=(5, 20)) == []
    assert "the shave removes" in unit_doubts(lr=None, hr=(100, 400), shave=(6, 20))[0]
    assert "the shave removes" in unit_doubts(lr=None, hr=(100, 400), shave=(5, 21))[0]


def test_contradictory_knobs_are_refused() -> None:
    with pytest.raises(ValueError, match="lr_side"):
        dataclasses.replace(get_protocol("sample"), size_rule="fixed-lr")
    with pytest.raises(ValueError, match="ssim_shave must be at least 0"):
        dataclasses.replace(get_protocol("sample"), ssim_shave=-1)
    for other in ("liif-benchmark", "face-idm", "blind-assr"):
        with pytest.raises(ValueError, match="'ceil' needs matlab-bicubic at every scale"):
            dataclasses.replace(get_protocol(other), size_rule="ceil")
    with pytest.raises(ValueError, match="plane"):
        dataclasses.replace(get_protocol("sample"), gray="luma")


def test_unknown_protocol_suggests_the_nearest() -> None:
    with pytest.raises(RequestError, match="Did you mean 'classic-y'"):
        get_protocol("clasic-y")


def test_differences_name_only_what_differs() -> None:
    found = get_protocol("sample").differences(get_protocol("basicsr-y"))
    assert found == {"psnr_colour": ("rgb", "y601s"), "ssim_colour": ("rgb", "y601s"), "shave": ("0", "s")}


def _metric(name: str, smallest_side: int | None = None) -> MetricInfo:
    return MetricInfo(
        name=name,
        display=name.upper(),
        kind=MetricKind.NO_REFERENCE,
        direction=Direction.LOWER,
        decimals=2,
        summary="",
        smallest_side=smallest_side,
    )


def test_doubtful_units_are_named() -> None:
    metrics = [_metric("psnr"), _metric("niqe", 96)]
    found = validity_warnings(lr=(10, 40), hr=(80, 320), scale=8, shave=14, metrics=metrics)
    assert len(found) == 3
    assert not validity_warnings(lr=(64, 64), hr=(512, 512), scale=8, shave=8, metrics=metrics)


def test_the_metric_says_below_which_side_it_is_doubtful() -> None:
    """Catches a list of metrics by name: here one that nobody knows, and one called niqe that sets no limit."""
    metrics = [_metric("ours", 200), _metric("theirs", 200), _metric("niqe"), _metric("small", 20)]
    found = validity_warnings(lr=(64, 64), hr=(100, 300), scale=2, shave=0, metrics=metrics)
    assert found == ["x2: a side is below 200 px, too small for OURS and THEIRS to mean anything"]


def test_seeds_depend_on_each_axis_and_on_nothing_else() -> None:
    seeds = {derive_seed(s, i, k) for s in (0, 1) for i in ("a", "b") for k in (0, 1)}
    assert len(seeds) == 8
    assert derive_seed(1, "2") != derive_seed("1", 2)
    assert derive_seed("a", "b") != derive_seed("a\x1fstr:b")


def test_every_protocol_with_matlab_lr_in_8_bit_rescores_the_same_images() -> None:
    names = ("sample", "basicsr-y", "pyiqa-default", "casr", "liif-benchmark")
    assert len({get_protocol(name).pair_id(4) for name in names}) == 1
