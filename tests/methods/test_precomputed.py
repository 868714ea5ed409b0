"""A folder of outputs as a method: the right file, the right size, or a failed unit."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from bench.api import UnitError
from bench.imaging.colour import studio_luma
from bench.imaging.io import write_png
from methods.precomputed import files
from methods.precomputed.files import locate
from methods.precomputed.info import PRECOMPUTED, PrecomputedOptions
from methods.precomputed.method import Precomputed

GRAY_LR = torch.full((3, 4, 5), 0.5)
LR = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))


def _image(seed: int = 0, shape: tuple[int, ...] = (8, 10, 3), dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype)


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def _upscale(
    folder: Path, image: str, scale: float = 2.0, *, lr: torch.Tensor = LR, size=(8, 10), **options
) -> torch.Tensor:
    method = Precomputed(PrecomputedOptions(folder=folder, **options))
    method.begin(image=image, scale=scale)
    return method.upscale(lr, size, seed=0).image


def test_hidden_files_are_no_outputs(tmp_path):
    """Catches a thumbnail that breaks the ending which all files of the folder share."""
    _touch(tmp_path, "baby_mine.png", "bird_mine.png", ".thumbnail.png", "._baby_mine.png")
    assert locate(tmp_path, "baby", "2").name == "baby_mine.png"


def test_pixels_come_back_unchanged(tmp_path):
    pixels = _image()
    write_png(tmp_path / "baby.png", pixels)
    sr = _upscale(tmp_path, "baby")
    assert np.array_equal(np.rint(sr.numpy() * 255).astype(np.uint8), pixels.transpose(2, 0, 1))


def test_sixteen_bits_are_kept(tmp_path):
    pixels = _image(dtype=np.uint16)
    write_png(tmp_path / "baby.png", pixels)
    sr = _upscale(tmp_path, "baby")
    assert np.array_equal(np.rint(sr.numpy().astype(np.float64) * 65535), pixels.transpose(2, 0, 1))


def test_gray_file_becomes_three_equal_channels(tmp_path):
    pixels = _image(shape=(8, 10))
    write_png(tmp_path / "baby.png", pixels)
    sr = _upscale(tmp_path, "baby", lr=GRAY_LR)
    assert tuple(sr.shape) == (3, 8, 10)
    assert torch.equal(sr[0], sr[2])


@pytest.mark.parametrize("shape", [(8, 11, 3), (10, 8, 3), (16, 20, 3)])
def test_another_size_fails_and_is_never_resized(tmp_path, shape):
    write_png(tmp_path / "baby.png", _image(shape=shape))
    with pytest.raises(UnitError, match=rf"{shape[0]} x {shape[1]}.*expected 8 x 10"):
        _upscale(tmp_path, "baby")


def test_colour_under_a_luma_protocol_is_refused_or_converted_not_averaged(tmp_path):
    pixels = _image()
    write_png(tmp_path / "baby.png", pixels)
    with pytest.raises(UnitError, match=r"precomputed\.luma=true"):
        _upscale(tmp_path, "baby", lr=GRAY_LR)
    sr = _upscale(tmp_path, "baby", lr=GRAY_LR, luma=True)
    assert np.abs(sr[0].numpy() * 255 - studio_luma(pixels)).max() < 1e-4
    assert torch.equal(sr[0], sr[1])


def test_a_tint_on_a_gray_photograph_is_accepted(tmp_path):
    gray = np.repeat(_image(shape=(8, 10, 1)) // 2 + 50, 3, axis=2)
    gray[..., 0] += 3
    write_png(tmp_path / "baby.png", gray)
    assert tuple(_upscale(tmp_path, "baby", lr=GRAY_LR).shape) == (3, 8, 10)


@pytest.mark.parametrize(
    ("files", "image", "found"),
    [
        (["baby.png", "baby_x2.png"], "baby", "baby.png"),
        (["baby.PNG"], "baby", "baby.PNG"),
        (["baby_x2.png", "baby_x4.png"], "baby", "baby_x2.png"),
        (["0801x2.png", "0801x2.5.png"], "0801", "0801x2.png"),
        (["0801x20.png", "0801x2_SwinIR.png"], "0801", "0801x2_SwinIR.png"),
        (["baby_2x_net.png"], "baby", "baby_2x_net.png"),
        (["baby_SwinIR.png", "bird_SwinIR.png"], "baby", "baby_SwinIR.png"),
        (["x2/baby.png", "x4/baby.png", "baby.png"], "baby", "x2/baby.png"),
        (["Set5/baby.png", "Set14/baby.png"], "Set14-baby", "Set14/baby.png"),
        (["Set5-baby.png"], "Set5-baby", "Set5-baby.png"),
        (["photo 1 (2) ü.png"], "photo 1 (2) ü", "photo 1 (2) ü.png"),
    ],
)
def test_the_file_of_an_image(tmp_path, files, image, found):
    assert locate(_touch(tmp_path, *files), image, "2") == tmp_path / found


@pytest.mark.parametrize(
    ("files", "image"),
    [
        ([], "img"),
        (["img_2.png", "img_3.png"], "img"),
        (["img_2.png"], "img"),
        (["img10.png"], "img1"),
        (["img_x4.png"], "img_x"),
        (["img_a.png", "other_b.png"], "img"),
        (["img_x20.png", "other.png"], "img"),
        (["img_2x4.png"], "img"),
        (["img_x20.png"], "img"),
        (["img.txt"], "img"),
    ],
)
def test_a_neighbours_file_is_not_taken(tmp_path, files, image):
    with pytest.raises(UnitError, match="no file"):
        locate(_touch(tmp_path, *files), image, "2")


@pytest.mark.parametrize("files", [["baby.png", "baby.jpg"], ["baby_x2_a.png", "baby_x2_b.png"]])
def test_two_candidates_are_named_not_chosen_from(tmp_path, files):
    with pytest.raises(UnitError, match=r"2 files.*precomputed\.pattern"):
        locate(_touch(tmp_path, *files), "baby", "2")


def test_a_pattern_names_the_file(tmp_path):
    _touch(tmp_path, "s3.6/baby-out.png")
    assert locate(tmp_path, "baby", "3.6", "s{scale}/{image}-out.png").name == "baby-out.png"
    with pytest.raises(UnitError, match="no file"):
        locate(tmp_path, "bird", "3.6", "s{scale}/{image}-out.png")


@pytest.mark.parametrize(
    "pattern", ["{scale}.png", "{name}.png", "{image", "{image}_{scale:.1f}.png", "{image.x}.png", "{}"]
)
def test_bad_patterns_are_refused_before_anything_runs(tmp_path, pattern):
    with pytest.raises(ValidationError):
        PrecomputedOptions(folder=tmp_path, pattern=pattern)


def test_a_missing_folder_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ValidationError, match="no folder"):
        PrecomputedOptions(folder=tmp_path / "nowhere")


def test_damaged_file_fails_the_unit(tmp_path):
    write_png(tmp_path / "baby.png", _image())
    data = (tmp_path / "baby.png").read_bytes()
    (tmp_path / "baby.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnitError, match=r"baby\.png"):
        _upscale(tmp_path, "baby")


def test_a_changed_file_changes_the_key(tmp_path):
    """A key made of the folder's name alone would keep the score of a file that was replaced."""
    assert PRECOMPUTED.fingerprint is not None
    options = PrecomputedOptions(folder=tmp_path)
    assert PRECOMPUTED.fingerprint(options, "baby", 2.0) == "missing"
    write_png(tmp_path / "baby.png", _image(1))
    first = PRECOMPUTED.fingerprint(options, "baby", 2.0)
    write_png(tmp_path / "baby.png", _image(2))
    os.utime(tmp_path / "baby.png", ns=(1, 1))
    second = PRECOMPUTED.fingerprint(options, "baby", 2.0)
    assert len({"missing", first, second}) == 3


def test_an_image_without_an_id_is_refused(tmp_path):
    with pytest.raises(UnitError, match="image id"):
        Precomputed(PrecomputedOptions(folder=tmp_path)).upscale(LR, (8, 10), seed=0)


def test_an_exact_name_wins_over_set_and_image(tmp_path):
    """Ids such as -1, 0, 1: the part before the dash is empty, and so names no subfolder."""
    for name in ("-1", "0", "1", "Set5-baby"):
        write_png(tmp_path / f"{name}.png", np.zeros((4, 4), np.uint8))
    (tmp_path / "Set5").mkdir()
    write_png(tmp_path / "Set5" / "baby.png", np.zeros((4, 4), np.uint8))
    assert [locate(tmp_path, name, "2").name for name in ("-1", "0", "1")] == ["-1.png", "0.png", "1.png"]
    assert locate(tmp_path, "Set5-baby", "2") == tmp_path / "Set5-baby.png"


@pytest.mark.parametrize(("stored", "asked"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_names_match_in_either_form_of_unicode(tmp_path, stored, asked):
    write_png(tmp_path / f"{unicodedata.normalize(stored, 'Müller')}.png", np.zeros((4, 4), np.uint8))
    assert locate(tmp_path, unicodedata.normalize(asked, "Müller"), "2").is_file()


def test_a_folder_that_does_not_change_is_listed_once_and_one_that_does_again(tmp_path, monkeypatch):
    """Listing it for every image makes a folder of n images cost n * n."""
    listed = []
    monkeypatch.setattr(files, "_listed", lambda folder, real=files._listed: listed.append(folder) or real(folder))
    monkeypatch.setattr(files, "is_settled", lambda stamp: True)
    for index in range(20):
        write_png(tmp_path / f"{index}.png", np.zeros((4, 4), np.uint8))
    for index in range(20):
        locate(tmp_path, str(index), "2")
    assert len(listed) == 1
    write_png(tmp_path / "new.png", np.zeros((4, 4), np.uint8))
    os.utime(tmp_path, ns=(1, 1))
    assert locate(tmp_path, "new", "2").is_file()
