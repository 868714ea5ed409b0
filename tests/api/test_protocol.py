"""Protocols: equal LR must mean equal pair ids, and every knob must show somewhere."""

from __future__ import annotations

import dataclasses

import pytest

from bench.api import PRESETS, RequestError, derive_seed, get_protocol, validity_warnings


def test_design_presets_are_all_there() -> None:
    wanted = {
        "classic-y", "basicsr-y", "liif-benchmark", "liif-div2k", "pyiqa-default", "face-kim", "face-idm", "casr",
        "cassr", "blind-assr", "sample",
    }  # fmt: skip
    assert wanted == set(PRESETS)


def test_protocols_that_share_lr_share_the_pair_id() -> None:
    assert get_protocol("basicsr-y").pair_id(4) == get_protocol("sample").pair_id(4)
    assert get_protocol("basicsr-y").pair_id(4) == get_protocol("liif-benchmark").pair_id(4)


def test_pillow_above_x4_splits_the_pair_id() -> None:
    assert get_protocol("basicsr-y").pair_id(6) != get_protocol("liif-benchmark").pair_id(6)


def test_luma_protocol_never_shares_lr_with_an_rgb_one() -> None:
    assert get_protocol("classic-y").pair_id(2) != get_protocol("basicsr-y").pair_id(2)


@pytest.mark.parametrize("field", ["downsampler", "lr_depth", "hr_mod", "degradation_seed", "source_crop", "alpha"])
def test_every_pair_knob_changes_the_pair_id(field: str) -> None:
    base = get_protocol("cassr")
    value = {"downsampler": "opencv-area", "lr_depth": "float", "alpha": "white"}.get(field, 12)
    assert dataclasses.replace(base, **{field: value}).pair_id(4) != base.pair_id(4)


def test_scoring_knobs_leave_the_pair_id_alone() -> None:
    base = get_protocol("sample")
    assert dataclasses.replace(base, shave="s", psnr_colour="y601s", sr_depth="float").pair_id(4) == base.pair_id(4)


def test_shave_rounds_fractional_scales_up() -> None:
    assert get_protocol("classic-y").shave_at(3.6) == 4
    assert get_protocol("liif-div2k").shave_at(12) == 18


def test_contradictory_knobs_are_refused() -> None:
    with pytest.raises(ValueError, match="lr_side"):
        dataclasses.replace(get_protocol("sample"), size_rule="fixed-lr")
    with pytest.raises(ValueError, match="plane"):
        dataclasses.replace(get_protocol("sample"), gray="luma")


def test_unknown_protocol_suggests_the_nearest() -> None:
    with pytest.raises(RequestError, match="Did you mean 'classic-y'"):
        get_protocol("clasic-y")


def test_differences_name_only_what_differs() -> None:
    found = get_protocol("sample").differences(get_protocol("basicsr-y"))
    assert found == {"psnr_colour": ("rgb", "y601s"), "ssim_colour": ("rgb", "y601s"), "shave": ("0", "s")}


def test_doubtful_units_are_named() -> None:
    found = validity_warnings(lr=(10, 40), hr=(80, 320), scale=8, shave=14, metrics=("psnr", "niqe"))
    assert len(found) == 3
    assert not validity_warnings(lr=(64, 64), hr=(512, 512), scale=8, shave=8, metrics=("psnr", "niqe"))


def test_seeds_depend_on_each_axis_and_on_nothing_else() -> None:
    seeds = {derive_seed(s, i, k) for s in (0, 1) for i in ("a", "b") for k in (0, 1)}
    assert len(seeds) == 8
    assert derive_seed(1, "2") != derive_seed("1", 2)
    assert derive_seed("a", "b") != derive_seed("a\x1fstr:b")


def test_every_protocol_with_matlab_lr_in_8_bit_rescores_the_same_images() -> None:
    names = ("sample", "basicsr-y", "pyiqa-default", "casr", "liif-benchmark")
    assert len({get_protocol(name).pair_id(4) for name in names}) == 1
