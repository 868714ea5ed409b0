"""Flat folders: which files count, what they are called, and what is refused."""

from __future__ import annotations

import os
import unicodedata

import pytest
from PIL import Image

from bench.api import DatasetKind, RequestError
from bench.data import resolve_dataset
from bench.data.folder import FolderDataset
from bench.data.images import header_size


def test_every_suffix_counts_in_any_case_and_nothing_else(tmp_path, save_image):
    for name in ("a.png", "b.JPG", "c.jpeg", "d.BMP", "e.tif", "f.TIFF", "g.WebP"):
        save_image(tmp_path / name, (4, 5))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._a.png").write_bytes(b"resource fork")
    save_image(tmp_path / "deeper" / "h.png", (4, 5))
    samples = resolve_dataset(tmp_path).samples(2)
    assert [s.id for s in samples] == ["a", "b", "c", "d", "e", "f", "g"]
    assert all(s.lr is None for s in samples)


def test_a_symlinked_image_counts(tmp_path, save_image):
    save_image(tmp_path / "store" / "a.png", (4, 5))
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").symlink_to(tmp_path / "store" / "a.png")
    assert [s.id for s in resolve_dataset(folder).samples(2)] == ["a"]


def test_two_images_of_one_stem_are_refused_by_both_names(tmp_path, save_image):
    save_image(tmp_path / "baby.png", (4, 4))
    save_image(tmp_path / "baby.jpg", (4, 4))
    with pytest.raises(RequestError, match=r"baby\.jpg and baby\.png"):
        resolve_dataset(tmp_path).samples(2)


def test_composed_and_decomposed_spelling_are_one_name(tmp_path, save_image):
    save_image(tmp_path / (unicodedata.normalize("NFC", "é") + ".png"), (4, 4))
    save_image(tmp_path / (unicodedata.normalize("NFD", "é") + ".png"), (4, 4))
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system folds both spellings into one")
    with pytest.raises(RequestError, match="two images"):
        resolve_dataset(tmp_path).samples(2)


def test_unicode_and_spaces_are_kept(tmp_path, save_image):
    folder = tmp_path / "mein Ordner ü"
    for name in ("Straße am Fluß.png", "写真 1.png"):
        save_image(folder / name, (4, 4))
    dataset = resolve_dataset(str(folder))
    assert dataset.name == "mein Ordner ü"
    assert {s.id for s in dataset.samples(2)} == {"Straße am Fluß", "写真 1"}


@pytest.mark.parametrize("name", ["a:b.png", "a\nb.png", "a\\b.png", "a .png", "x" * 240 + ".png"])
def test_names_that_cannot_name_a_result_are_refused(tmp_path, save_image, name):
    save_image(tmp_path / name, (4, 4))
    with pytest.raises(RequestError, match="rename the file"):
        resolve_dataset(tmp_path).samples(2)


def test_a_name_that_is_no_utf8_is_refused(tmp_path, save_image):
    save_image(tmp_path / "ok.png", (4, 4))
    try:
        (tmp_path / "ok.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(RequestError, match="not valid UTF-8"):
        resolve_dataset(tmp_path).samples(2)


def test_a_folder_without_images_says_what_was_expected(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(RequestError, match="expected PNG, JPEG, BMP, TIFF or WebP"):
        resolve_dataset(tmp_path)


def test_a_folder_that_became_empty_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no image"):
        FolderDataset("x", tmp_path).samples(2)


def test_hr_subfolder_alone_is_an_hr_set_named_after_its_parent(tmp_path, save_image):
    save_image(tmp_path / "Mine" / "HR" / "a.png", (4, 4))
    for path in (tmp_path / "Mine", tmp_path / "Mine" / "HR"):
        dataset = resolve_dataset(path)
        assert (dataset.name, dataset.kind) == ("Mine", DatasetKind.HR_ONLY)
        assert [s.id for s in dataset.samples(2)] == ["a"]


def test_lr_only_by_double_colon(tmp_path, save_image):
    save_image(tmp_path / "real" / "a.png", (4, 4))
    dataset = resolve_dataset(f"::{tmp_path / 'real'}")
    assert dataset.kind is DatasetKind.LR_ONLY
    (sample,) = dataset.samples(4)
    assert sample.hr is None
    assert sample.lr is not None


def test_header_size_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    assert header_size(tmp_path / "turned.jpg") == (30, 20)
    (tmp_path / "broken.png").write_bytes(b"")
    assert header_size(tmp_path / "broken.png") is None


@pytest.mark.parametrize("name", ["b.gif", "b.JP2", "b.avif", "b.ppm", "b.jfif", "b.heic"])
def test_images_of_formats_that_are_not_read_are_said(name, tmp_path, save_image):
    """A scan by suffix that leaves such files out without a word gives the mean of a part as the mean of the folder."""
    save_image(tmp_path / "a.png", (4, 4))
    (tmp_path / name).write_bytes(b"an image of another format")
    (tmp_path / f".{name}").write_bytes(b"hidden")
    dataset = resolve_dataset(tmp_path)
    assert [sample.id for sample in dataset.samples(2)] == ["a"]
    (said,) = dataset.reading(2)
    assert f"1 file not read: {name};" in said
    assert "convert" in said


def test_a_format_that_is_not_read_is_said_of_both_sides_of_pairs(tmp_path, save_image):
    save_image(tmp_path / "HR" / "a.png", (8, 8))
    save_image(tmp_path / "LR" / "a.png", (4, 4))
    (tmp_path / "LR" / "b.gif").write_bytes(b"an image of another format")
    said = " ".join(resolve_dataset(tmp_path).reading(2))
    assert "read as 1 pair" in said
    assert "1 file not read: b.gif" in said


def test_a_folder_of_another_format_alone_names_what_was_seen(tmp_path):
    (tmp_path / "a.ppm").write_bytes(b"P6 1 1 255 abc")
    with pytest.raises(RequestError, match=r"got a\.ppm; convert it to PNG"):
        FolderDataset("set", tmp_path).samples(2)
