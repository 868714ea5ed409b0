"""Sets with LR images of their own: layouts, matching by name, scale checked against sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.api import DatasetKind, RequestError, UnitError, get_protocol, lr_size, sr_size
from bench.data import prepare, resolve_dataset
from bench.data.pair import pair_fits

BASICSR = get_protocol("basicsr-y")
CLASSIC = get_protocol("classic-y")


def pair_of(dataset, scale, protocol=BASICSR):
    (sample,) = dataset.samples(scale)
    return prepare(sample, scale, protocol)


@pytest.mark.parametrize("lr", ["LR", "lr", "LR/X4", "LR_bicubic/X4", "LRbicx4", "test_LR", "X4"])
@pytest.mark.parametrize("mark", ["", "x4", "_x4", "_LR4", "_LR"])
def test_common_layouts_and_names_are_found(tmp_path, save_image, lr, mark):
    save_image(tmp_path / "HR" / "img_001.png", (33, 40))
    small = save_image(tmp_path / lr / f"img_001{mark}.png", (8, 10), seed=1)
    dataset = resolve_dataset(tmp_path)
    assert dataset.kind is DatasetKind.PAIRED
    pair = pair_of(dataset, 4)
    assert pair.hr.shape == (32, 40, 3)
    assert np.array_equal(np.rint(pair.lr * 255), small)


def test_the_folder_of_the_asked_scale_is_taken(tmp_path, save_image):
    save_image(tmp_path / "HR" / "a.png", (36, 36))
    for scale, side in ((2, 18), (3, 12), (3.6, 10)):
        save_image(tmp_path / "LR_bicubic" / f"X{scale}" / f"ax{scale}.png", (side, side))
    dataset = resolve_dataset(f"{tmp_path / 'HR'}::{tmp_path / 'LR_bicubic'}")
    for scale, side in ((2, 18), (3, 12), (3.6, 10)):
        assert pair_of(dataset, scale).lr_shape == (side, side)
    with pytest.raises(RequestError, match=r"only for x2, x3, x3\.6"):
        dataset.samples(4)


def test_realsr_marks_match(tmp_path, save_image):
    save_image(tmp_path / "HR" / "Canon_001_HR.png", (16, 16))
    save_image(tmp_path / "LR" / "Canon_001_LR4.png", (4, 4))
    (sample,) = resolve_dataset(tmp_path).samples(4)
    assert sample.lr.path.name == "Canon_001_LR4.png"


def test_an_exact_name_beats_a_stripped_mark(tmp_path, save_image):
    for name in ("a", "ax4"):
        save_image(tmp_path / "HR" / f"{name}.png", (16, 16))
        save_image(tmp_path / "LR" / f"{name}.png", (4, 4))
    samples = resolve_dataset(tmp_path).samples(4)
    assert [(s.id, s.lr.path.stem) for s in samples] == [("a", "a"), ("ax4", "ax4")]


def test_missing_partners_are_named_on_both_sides(tmp_path, save_image):
    for name in ("a", "b"):
        save_image(tmp_path / "HR" / f"{name}.png", (16, 16))
    for name in ("a", "z"):
        save_image(tmp_path / "LR" / f"{name}.png", (4, 4))
    with pytest.raises(RequestError, match=r"1 HR without LR \(b\.png\) and 1 LR without HR \(z\.png\)"):
        resolve_dataset(tmp_path).samples(4)


def test_two_lr_for_one_hr_are_refused(tmp_path, save_image):
    save_image(tmp_path / "HR" / "a.png", (16, 16))
    for name in ("a", "a_x4"):
        save_image(tmp_path / "LR" / f"{name}.png", (4, 4))
    with pytest.raises(RequestError, match=r"both a\.png and a_x4\.png belong to a\.png"):
        resolve_dataset(tmp_path).samples(4)


@settings(deadline=None, max_examples=300)
@given(hr=st.tuples(*[st.integers(8, 4000)] * 2), scale=st.floats(1, 8, allow_nan=False))
def test_what_the_floor_crop_rule_makes_fits_before_and_after_the_crop(hr, scale):
    """A check by the rounded ratio would refuse 36 px of HR for 10 px of LR at x3.65."""
    lr = lr_size(hr, scale)
    assert pair_fits(hr, lr, scale)
    assert pair_fits(sr_size(lr, scale), lr, scale)
    assert not pair_fits((hr[0], sr_size(lr, scale)[1] - 1), lr, scale)


@pytest.mark.parametrize("scale", [2, 3, 3.7, 4.1, 8])
def test_lr_of_another_scale_is_refused_with_its_own_scale(tmp_path, save_image, scale):
    save_image(tmp_path / "HR" / "a.png", (64, 64))
    save_image(tmp_path / "LR" / "a.png", (16, 16))
    with pytest.raises(RequestError, match=r"\(x4\); ask for their own scale"):
        resolve_dataset(tmp_path).samples(scale)


def test_one_odd_pair_fails_alone(tmp_path, save_image):
    for name, side in (("a", 16), ("b", 15)):
        save_image(tmp_path / "HR" / f"{name}.png", (64, 64))
        save_image(tmp_path / "LR" / f"{name}.png", (side, side))
    good, odd = resolve_dataset(tmp_path).samples(4)
    assert prepare(good, 4, BASICSR).size == (64, 64)
    with pytest.raises(UnitError, match=r"64 x 64 px and LR b\.png of 15 x 15 do not fit x4: expected HR of 60 x 60"):
        prepare(odd, 4, BASICSR)


def test_hr_smaller_than_lr_times_scale_is_never_padded(tmp_path, save_image):
    save_image(tmp_path / "HR" / "a.png", (63, 64))
    save_image(tmp_path / "LR" / "a.png", (16, 16))
    with pytest.raises(RequestError, match="not of x4"):
        resolve_dataset(tmp_path).samples(4)


def test_gray_hr_beside_rgb_lr_is_luma_of_one_range(tmp_path, save_image):
    """Taking the gray file as luma (0..255) and the RGB one through studio luma (16..235) would compare two ranges."""
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    (tmp_path / "HR").mkdir()
    (tmp_path / "LR").mkdir()
    Image.fromarray(gray).save(tmp_path / "HR" / "a.png")
    Image.fromarray(np.repeat(gray[:, :, None], 3, axis=2)).save(tmp_path / "LR" / "a.png")
    (sample,) = resolve_dataset(tmp_path).samples(1)
    mixed = prepare(sample, 1, CLASSIC)
    assert np.array_equal(np.rint(mixed.lr[:, :, 0] * 255), mixed.hr)
    assert (mixed.hr.min(), mixed.hr.max()) == (16, 235)
    colour = prepare(sample, 1, BASICSR)
    assert colour.hr.shape == (16, 16, 3)
    assert np.array_equal(np.rint(colour.lr * 255), colour.hr)


def test_a_gray_pair_is_its_own_luma(tmp_path, save_image):
    large = save_image(tmp_path / "HR" / "a.png", (16, 16), mode="L")
    small = save_image(tmp_path / "LR" / "a.png", (4, 4), mode="L")
    pair = pair_of(resolve_dataset(tmp_path), 4, CLASSIC)
    assert np.array_equal(pair.hr, large)
    assert np.array_equal(np.rint(pair.lr[:, :, 1] * 255), small)


def test_source_crop_of_a_pair_keeps_both_aligned(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (151, 140, 3), dtype=np.uint8)
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    for side, pixels in (("HR", large), ("LR", small)):
        (tmp_path / side).mkdir()
        Image.fromarray(pixels).save(tmp_path / side / "a.png")
    pair = pair_of(resolve_dataset(tmp_path), 4, get_protocol("cassr"))
    assert pair.lr_shape == (128, 128)
    assert pair.hr.shape == (512, 512, 3)
    assert np.array_equal(np.rint(pair.lr * 255), pair.hr[::4, ::4])


def test_bad_pair_syntax_names_the_folder_that_is_missing(tmp_path, save_image):
    save_image(tmp_path / "HR" / "a.png", (8, 8))
    with pytest.raises(RequestError, match="nowhere"):
        resolve_dataset(f"{tmp_path / 'HR'}::{tmp_path / 'nowhere'}")
    with pytest.raises(RequestError, match="HR_DIR::LR_DIR"):
        resolve_dataset(f"{tmp_path / 'HR'}::")
