"""Scales with a factor per axis in sets: their LR folders, crops of pairs, and what no protocol makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.api import ImageRef, RequestError, Sample, ScalePair, UnitError, get_protocol, parse_scale
from bench.data import prepare, resolve_dataset
from bench.data.crops import centre_pair
from bench.data.lr_files import write_lr_files
from bench.data.places import lr_places
from bench.imaging import imresize_u8

PAIR = ScalePair(1.5, 2)


def sample(path: Path) -> Sample:
    return Sample(path.stem, ImageRef(path))


def test_hr_is_cropped_and_lr_made_axis_by_axis(tmp_path, save_image):
    """Catches one rule for both axes, and HR cropped to a multiple of one factor."""
    hr = save_image(tmp_path / "a.png", (35, 51))
    made = prepare(sample(tmp_path / "a.png"), PAIR, get_protocol("sample"))
    assert (made.lr_shape, made.size) == ((23, 25), (34, 50))
    assert made.lr is not None
    assert np.array_equal(np.rint(made.lr * 255), imresize_u8(hr[:34, :50], (23, 25)))


@pytest.mark.parametrize("degradation", ["blind-assr", "real-esrgan-light"])
def test_degradations_reach_the_size_of_each_axis(tmp_path, save_image, degradation):
    """Catches a degradation that shrinks by one factor."""
    from dataclasses import replace

    save_image(tmp_path / "a.png", (72, 96))
    made = prepare(sample(tmp_path / "a.png"), PAIR, replace(get_protocol("sample"), degradation=degradation))
    assert made.lr is not None
    assert made.lr.shape == (48, 48, 3)


def test_an_empty_lr_image_names_both_factors(tmp_path, save_image):
    """Catches a largest scale that is told of the shorter side alone."""
    save_image(tmp_path / "a.png", (8, 40))
    with pytest.raises(UnitError, match=r"x2x50 leaves no LR image.*the largest factors for it are 8 x 40"):
        prepare(sample(tmp_path / "a.png"), parse_scale("2x50"), get_protocol("sample"))


def test_a_square_lr_is_not_made_at_two_factors(tmp_path, save_image):
    """Catches a face squeezed along one axis where a caller did not ask the protocol first."""
    save_image(tmp_path / "a.png", (256, 256))
    with pytest.raises(UnitError, match="no scale per axis"):
        prepare(sample(tmp_path / "a.png"), ScalePair(4, 8), get_protocol("face-idm"))


def test_the_centre_of_a_given_pair_is_cut_per_axis():
    """Catches the factor of the rows used for the columns."""
    hr, lr = np.arange(24 * 48).reshape(24, 48) % 251, np.arange(12 * 12).reshape(12, 12) % 251
    large, small = centre_pair(hr.astype(np.uint8), lr.astype(np.uint8), ScalePair(2, 4), 16)
    assert (large.shape, small.shape) == ((16, 16), (8, 4))
    assert small[0, 0] == lr[2, 4]
    assert large[0, 0] == hr[4, 16] % 251
    for pair in (ScalePair(1.5, 4), ScalePair(2, 5)):
        with pytest.raises(UnitError, match="whole factors that divide it"):
            centre_pair(hr.astype(np.uint8), lr.astype(np.uint8), pair, 16)


def test_a_folder_of_one_factor_is_never_taken_for_a_pair(tmp_path, save_image):
    """Catches a look-up by the mean: 2x8 is x4 in the mean, and its LR images are others."""
    save_image(tmp_path / "set" / "HR" / "a.png", (32, 64))
    save_image(tmp_path / "set" / "LR" / "X4" / "a.png", (8, 16))
    save_image(tmp_path / "set" / "LR" / "x1.5x2" / "a.png", (21, 32))
    found = resolve_dataset(str(tmp_path / "set"))
    for text in ("2x8", "4x2", "2x1.5"):
        with pytest.raises(RequestError, match=f"no LR images for x{text}, only for x1.5x2, x4"):
            found.samples(parse_scale(text))
    (own,) = found.samples(PAIR)
    assert own.lr is not None
    assert own.lr.path.parent.name == "x1.5x2"
    (four,) = found.samples(parse_scale("4x4"))
    assert four.lr is not None
    assert four.lr.path.parent.name == "X4"


def test_an_unmarked_lr_folder_is_held_against_each_axis(tmp_path, save_image):
    """Catches sizes compared along one axis: 8 x 16 of 32 x 64 is x4, not 4 x 2."""
    save_image(tmp_path / "HR" / "a.png", (32, 64))
    save_image(tmp_path / "LR" / "a.png", (8, 32))
    found = resolve_dataset(str(tmp_path))
    assert len(found.samples(ScalePair(4, 2))) == 1
    for text in ("4", "2", "2x4"):
        with pytest.raises(RequestError, match="not of x"):
            found.samples(parse_scale(text))


def test_names_of_folders_that_are_no_scale_name_none(tmp_path, save_image):
    """Catches X0 as a scale of 0, and a name such as x2x2 as a pair beside X2."""
    for name in ("X0", "x0.5", "x2x2", "x2x3x4"):
        save_image(tmp_path / name / "a.png", (8, 8))
    assert [scale for scale, _ in lr_places(tmp_path)] == [2.0]


def test_written_lr_files_are_read_again_at_their_pair(tmp_path, save_image):
    """Catches a folder name that the reader does not know: what `bench data lr` writes is a set."""
    save_image(tmp_path / "in" / "a.png", (36, 48))
    dataset = resolve_dataset(str(tmp_path / "in"))
    (file,) = write_lr_files(dataset, (PAIR,), get_protocol("sample"), tmp_path / "out")
    assert file.path.parent.name == "x1.5x2"
    assert (file.lr, file.asked) == ((24, 24), (36, 48))
    assert lr_places(tmp_path / "out") == [(PAIR, tmp_path / "out" / "x1.5x2")]
    assert ",1.5x2,x1.5x2/a.png,24,24,36,48" in (tmp_path / "out" / "sizes.csv").read_text()
