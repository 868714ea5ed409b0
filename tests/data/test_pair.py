"""The pair half of a protocol on images whose answer is known from outside: Pillow, arithmetic, properties."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.api import PRESETS, ImageRef, Sample, UnitError, get_protocol, lr_size
from bench.data import fingerprint, prepare, resolve_dataset
from bench.data.frozen import drawn_for
from bench.imaging.manifest import read_manifest, write_manifest

BASICSR = get_protocol("basicsr-y")
CLASSIC = get_protocol("classic-y")


def sample_of(path):
    return Sample("a", ImageRef(path))


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "a.png"
    pixels = np.random.default_rng(3).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path, pixels


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scale=st.floats(1, 84, allow_nan=False), mod=st.sampled_from([1, 4, 12]))
def test_hr_never_exceeds_the_source_and_sizes_are_those_of_the_pixels(big, scale, mod):
    path, pixels = big
    pair = prepare(sample_of(path), scale, replace(BASICSR, hr_mod=mod), need_lr=False)
    assert pair.hr is not None
    assert pair.hr.shape[:2] == pair.size
    assert pair.lr_shape == lr_size((90 - 90 % mod, 120), scale)
    assert np.array_equal(pair.hr, pixels[: pair.size[0], : pair.size[1]])
    for got, lr, whole in zip(pair.size, pair.lr_shape, (90 - 90 % mod, 120), strict=True):
        assert got <= whole
        assert abs(got / lr - scale) <= 0.5 / lr + 1e-9  # the effective ratio is the nominal one up to rounding


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scale=st.floats(1, 60, allow_nan=False), name=st.sampled_from([n for n, p in PRESETS.items() if not p.source_crop])
)
def test_lr_has_the_promised_shape_under_every_protocol(big, scale, name):
    protocol = get_protocol(name)
    try:
        pair = prepare(sample_of(big[0]), scale, protocol)
    except UnitError:
        assert protocol.size_rule == "fixed-lr"
        return
    assert pair.lr.shape == (*pair.lr_shape, 3)
    assert pair.lr.dtype == np.float32
    assert pair.hr.dtype == np.uint8
    assert pair.hr.ndim == (2 if protocol.plane == "y" else 3)
    if protocol.lr_depth == "u8":
        assert np.array_equal(np.rint(pair.lr * 255) / np.float32(255), pair.lr)


def test_a_scale_that_leaves_no_lr_says_the_largest_one(big):
    with pytest.raises(UnitError, match=r"x91 leaves no LR image: HR is 90 x 120 .* the largest scale for it is 90"):
        prepare(sample_of(big[0]), 91, BASICSR)
    assert prepare(sample_of(big[0]), 90, BASICSR).lr_shape == (1, 1)


def test_liif_benchmark_uses_pillow_above_x4_only(big):
    path, pixels = big
    protocol = get_protocol("liif-benchmark")
    expected = np.asarray(Image.fromarray(pixels).resize((20, 15), Image.Resampling.BICUBIC))
    assert np.array_equal(np.rint(prepare(sample_of(path), 6, protocol).lr * 255), expected)
    at_3 = np.asarray(Image.fromarray(pixels).resize((40, 30), Image.Resampling.BICUBIC))
    assert not np.array_equal(np.rint(prepare(sample_of(path), 3, protocol).lr * 255), at_3)


@pytest.mark.parametrize(("scale", "side"), [(5.3, 85), (7, 112), (10, 160), (10.7, 171), (12, 192)])
def test_face_kim_makes_lr_from_the_resized_hr(tmp_path, save_image, scale, side):
    pixels = save_image(tmp_path / "a.png", (300, 320))
    pair = prepare(sample_of(tmp_path / "a.png"), scale, get_protocol("face-kim"))
    assert pair.hr.shape == (side, side, 3)
    assert pair.lr_shape == (16, 16)
    source = Image.fromarray(pixels[:, 10:310]).resize((256, 256), Image.Resampling.BICUBIC)
    hr = source.resize((side, side), Image.Resampling.BICUBIC)
    assert np.array_equal(pair.hr, np.asarray(hr))
    assert np.array_equal(np.rint(pair.lr * 255), np.asarray(hr.resize((16, 16), Image.Resampling.BICUBIC)))


def test_face_idm_gives_one_lr_for_all_scales_and_face_kim_does_not(tmp_path, save_image):
    save_image(tmp_path / "a.png", (256, 256))
    lr = {
        name: [prepare(sample_of(tmp_path / "a.png"), s, get_protocol(name)).lr for s in (5.3, 8, 12)]
        for name in ("face-idm", "face-kim")
    }
    assert all(np.array_equal(lr["face-idm"][0], other) for other in lr["face-idm"][1:])
    assert not np.array_equal(lr["face-kim"][0], lr["face-kim"][2])


def test_a_face_is_never_enlarged_to_serve_as_reference(tmp_path, save_image):
    save_image(tmp_path / "a.png", (128, 128))
    with pytest.raises(
        UnitError, match="needs an HR image of 192 px, the source has 128; the largest scale for it is 8"
    ):
        prepare(sample_of(tmp_path / "a.png"), 12, get_protocol("face-idm"))


def test_a_gray_file_is_luma_under_classic_y_and_rgb_elsewhere(tmp_path, save_image):
    gray = save_image(tmp_path / "a.png", (24, 24), mode="L")
    luma = prepare(sample_of(tmp_path / "a.png"), 2, CLASSIC)
    assert np.array_equal(luma.hr, gray)
    assert np.array_equal(luma.lr[:, :, 0], luma.lr[:, :, 2])
    rgb = prepare(sample_of(tmp_path / "a.png"), 2, BASICSR)
    assert np.array_equal(rgb.hr, np.repeat(gray[:, :, None], 3, axis=2))
    as_rgb = prepare(sample_of(tmp_path / "a.png"), 2, replace(CLASSIC, gray="rgb"))
    assert (as_rgb.hr.min() >= 16, as_rgb.hr.max() <= 235) == (True, True)


def test_classic_lr_is_not_rounded(big):
    values = prepare(sample_of(big[0]), 3, CLASSIC).lr * 255
    assert np.abs(values - np.rint(values)).max() > 0.4


def test_source_crop_takes_the_centre_and_refuses_a_smaller_image(tmp_path, save_image):
    pixels = save_image(tmp_path / "a.png", (40, 61))
    protocol = replace(BASICSR, source_crop=32)
    assert np.array_equal(prepare(sample_of(tmp_path / "a.png"), 4, protocol).hr, pixels[4:36, 14:46])
    with pytest.raises(UnitError, match="the centre 64 x 64 px of the source, which has only 40 x 61"):
        prepare(sample_of(tmp_path / "a.png"), 4, replace(BASICSR, source_crop=64))


def test_centre_crop_of_a_reference_keeps_at_most_its_size(tmp_path, save_image):
    pixels = save_image(tmp_path / "a.png", (40, 61))
    ref = ImageRef(tmp_path / "a.png", centre_crop=(50, 50))
    assert np.array_equal(prepare(Sample("a", ref), 1, BASICSR).hr, pixels[:, 5:55])


def test_lr_only_has_no_reference_and_the_rounded_size(tmp_path, save_image):
    small = save_image(tmp_path / "a.png", (7, 9))
    pair = prepare(Sample("a", None, ImageRef(tmp_path / "a.png")), 3.5, get_protocol("casr"))
    assert pair.hr is None
    assert pair.size == (24, 32)  # 24.5 and 31.5 by Python's rounding, as LIIF's
    assert np.array_equal(np.rint(pair.lr * 255), small)


def test_sixteen_bit_is_reduced_by_257_not_by_256(tmp_path):
    values = np.array([[0, 128, 257, 65535], [385, 386, 32896, 65406]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    pair = prepare(sample_of(tmp_path / "a.png"), 1, CLASSIC)
    assert np.array_equal(pair.hr, np.rint(values / 257).astype(np.uint8))


def test_alpha_is_refused_or_composited_as_the_protocol_says(tmp_path):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(UnitError, match=r"a\.png.*alpha"):
        prepare(sample_of(tmp_path / "a.png"), 2, BASICSR)
    white = prepare(sample_of(tmp_path / "a.png"), 2, replace(BASICSR, alpha="white"))
    assert (white.hr[0, 0, 0], white.hr[7, 7, 0]) == (0, 255)


def _cmyk(path, save_image):
    save_image(path.with_suffix(".jpg"), (8, 8), mode="CMYK")
    return path.with_suffix(".jpg")


def _animated(path, save_image):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(path.with_suffix(".webp"), save_all=True, append_images=frames[1:], duration=100, lossless=True)
    return path.with_suffix(".webp")


def _truncated(path, save_image):
    save_image(path, (64, 64))
    path.write_bytes(path.read_bytes()[:-900])
    return path


def _zero(path, save_image):
    path.write_bytes(b"")
    return path


def _text(path, save_image):
    path.write_text("not an image")
    return path


@pytest.mark.parametrize("make", [_cmyk, _animated, _truncated, _zero, _text])
def test_one_bad_file_fails_alone_and_by_name(tmp_path, save_image, make):
    save_image(tmp_path / "good.png", (8, 8))
    bad = make(tmp_path / "bad.png", save_image)
    samples = {s.id: s for s in resolve_dataset(tmp_path).samples(2)}
    with pytest.raises(UnitError, match=bad.name):
        prepare(samples["bad"], 2, BASICSR)
    assert prepare(samples["good"], 2, BASICSR).size == (8, 8)


def test_a_file_that_vanished_is_a_failed_unit(tmp_path):
    with pytest.raises(UnitError, match=r"gone\.png"):
        prepare(sample_of(tmp_path / "gone.png"), 2, BASICSR)


@pytest.mark.parametrize("name", ["blind-assr", "cassr"])
def test_degradations_depend_on_the_id_and_seed_alone_and_can_be_stored(tmp_path, save_image, name):
    save_image(tmp_path / "set" / "a.png", (64, 64))
    save_image(tmp_path / "set" / "b.png", (64, 64))
    protocol = replace(get_protocol(name), source_crop=None)
    dataset = resolve_dataset(tmp_path / "set")
    a, b = dataset.samples(4)
    first = prepare(a, 4, protocol)
    assert np.array_equal(first.lr, prepare(a, 4, protocol).lr)
    assert not np.array_equal(first.lr, prepare(b, 4, protocol).lr)  # equal pixels, another id
    assert not np.array_equal(first.lr, prepare(a, 4, replace(protocol, degradation_seed=1)).lr)
    drawn = drawn_for(dataset.samples(4), protocol)
    write_manifest(tmp_path / "m.json", drawn)
    stored = read_manifest(tmp_path / "m.json")
    assert stored == drawn
    assert sorted(stored) == ["a", "b"]
    assert np.array_equal(stored["a"].apply(first.hr, first.lr_shape), np.rint(first.lr * 255))


def test_need_lr_false_leaves_hr_and_sizes_alone(big):
    whole, half = (prepare(sample_of(big[0]), 3.7, BASICSR, need_lr=need) for need in (True, False))
    assert half.lr is None
    assert (half.lr_shape, half.size) == (whole.lr_shape, whole.size)
    assert np.array_equal(half.hr, whole.hr)


def test_fingerprint_changes_with_bytes_and_crop_only(tmp_path, save_image):
    save_image(tmp_path / "a.png", (8, 8))
    save_image(tmp_path / "b.png", (8, 8))
    a, b = ImageRef(tmp_path / "a.png"), ImageRef(tmp_path / "b.png")
    assert fingerprint(a) == fingerprint(b)
    cropped = {fingerprint(ImageRef(a.path, centre_crop=crop)) for crop in (None, (8, 8), (4, 8), (8, 4))}
    assert len(cropped) == 4
    before = fingerprint(a)
    save_image(tmp_path / "a.png", (9, 8), seed=1)
    assert fingerprint(a) != before
    (tmp_path / "zero.png").write_bytes(b"")
    assert len(fingerprint(ImageRef(tmp_path / "zero.png"))) == 64


def test_importing_the_package_does_not_import_torch():
    code = "import sys, bench.data, bench.data.fetch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
