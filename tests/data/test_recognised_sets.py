"""Published sets given as folders: known by their pixels, with name, protocol and kind; or the run says why not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.api import DatasetKind
from bench.data import recognise as module
from bench.data import resolve_dataset, verify
from bench.data.cards import Card

SAVE = Callable[..., np.ndarray]
"""Writes a random image."""


@pytest.fixture
def published(tmp_path: Path, save_image: SAVE, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two images of a published set `Two`, beside the cards of an LR-only `Real` and of `Counted`."""
    folder = tmp_path / "somewhere" / "copies"
    for seed, name in enumerate(("a", "b")):
        save_image(folder / f"{name}.png", (8, 10), seed=seed)
    pixels = {f"{name}.png": verify.pixels_sha256(folder / f"{name}.png") for name in ("a", "b")}
    manifests = {"Two": pixels, "Real": {"x.png": pixels["a.png"]}}
    text: dict[str, Any] = {"title": "t", "licence": "l", "source": "s", "obtain": "o", "default_protocol": "basicsr-y"}
    cards = {
        "Two": Card(name="Two", loader="folder", count=2, manifest="Two", aliases=("Pair",), **text),
        "Real": Card(name="Real", loader="lr-only", count=1, manifest="Real", **{**text, "default_protocol": "casr"}),
        "Counted": Card(name="Counted", loader="folder", count=2, **text),
    }
    monkeypatch.setattr(module, "cards", lambda: cards)
    for reader in (module, verify):
        monkeypatch.setattr(reader, "read_manifest", lambda stem, kind: manifests[stem] if kind == "pixels" else {})
    return folder


def test_a_folder_of_a_published_set_has_its_name_and_protocol(published: Path) -> None:
    """The folder's own name and `sample`: 35.27 dB where the name of the set gives 36.96."""
    dataset = resolve_dataset(published)
    assert (dataset.name, dataset.default_protocol, dataset.kind) == ("Two", "basicsr-y", DatasetKind.HR_ONLY)
    assert "the images of Two by their hashes" in dataset.reading(2)[0]


def test_another_encoding_of_the_same_pixels_is_the_set(published: Path) -> None:
    """Comparing bytes only."""
    with Image.open(published / "a.png") as image:
        image.save(published / "a.bmp")
    (published / "a.png").unlink()
    assert resolve_dataset(published).name == "Two"


def test_pairs_over_published_hr_images_have_their_name(published: Path, save_image: SAVE) -> None:
    """Recognising flat folders only."""
    root = published.parent / "pairs"
    shutil.copytree(published, root / "HR")
    for name in ("a", "b"):
        save_image(root / "LR" / f"{name}x2.png", (4, 5))
    dataset = resolve_dataset(root)
    assert (dataset.name, dataset.default_protocol, dataset.kind) == ("Two", "basicsr-y", DatasetKind.PAIRED)


def test_lr_images_of_a_published_set_are_read_as_lr(published: Path) -> None:
    """Images without references shrunk and scored against themselves."""
    folder = published.parent / "phone"
    folder.mkdir()
    shutil.copy(published / "a.png", folder / "x.png")
    dataset = resolve_dataset(folder)
    assert (dataset.name, dataset.default_protocol, dataset.kind) == ("Real", "casr", DatasetKind.LR_ONLY)
    assert "read as 1 LR image" in dataset.reading(2)[0]


@pytest.mark.parametrize("change", ["other pixels", "unreadable", "dangling"])
def test_one_other_image_makes_it_a_set_of_its_own_and_is_said(published: Path, save_image: SAVE, change: str) -> None:
    """Names alone, or most of the images, deciding what a set is."""
    (published / "b.png").unlink()
    if change == "other pixels":
        save_image(published / "b.png", (8, 10), seed=99)
    elif change == "unreadable":
        (published / "b.png").write_bytes(b"")
    else:
        (published / "b.png").symlink_to(published / "nowhere.png")
    dataset = resolve_dataset(published)
    assert (dataset.name, dataset.default_protocol, len(dataset.samples(2))) == ("copies", None, 2)
    (note,) = dataset.reading(2)
    assert "is a set of its own (not Two: " in note
    assert "b.png" in note


def test_a_part_of_a_set_is_a_set_of_its_own_and_is_said(published: Path) -> None:
    """A mean of one image under the name of two."""
    (published / "b.png").unlink()
    dataset = resolve_dataset(published)
    assert dataset.name == "copies"
    assert "not Two: 1 of its 2 images" in dataset.reading(2)[0]


def test_a_folder_that_only_has_the_name_of_a_set_says_so(published: Path) -> None:
    """The folder's name deciding, or no word on why the set's protocol is not taken."""
    for called, words in (("pair", "not Two: 1 of the 2 names"), ("Counted", "no checksums of Counted are known")):
        folder = published.parent / called
        folder.mkdir()
        for old, new in (("a", "a"), ("b", "c")):
            shutil.copy(published / f"{old}.png", folder / f"{new}.png")
        dataset = resolve_dataset(folder)
        assert (dataset.name, dataset.default_protocol) == (called, None)
        assert words in dataset.reading(2)[0]


def test_a_folder_of_other_photographs_says_nothing(published: Path, save_image: SAVE) -> None:
    """A sentence on every folder."""
    save_image(published.parent / "mine" / "p.png", (8, 8))
    assert resolve_dataset(published.parent / "mine").reading(2) == ()
