"""What is typed for sets: lists, pairs and paths that hold commas, `::`, spaces, quotes and accents."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from bench.api import DatasetKind, RequestError
from bench.api.lists import as_list, names
from bench.data import resolve_dataset, split_datasets
from bench.session.config import make_config

SAVE = Callable[..., np.ndarray]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_image: SAVE) -> Callable[..., Path]:
    """Folders with an image each, in the current folder."""
    monkeypatch.chdir(tmp_path)

    def make(*folders: str) -> Path:
        for number, folder in enumerate(folders):
            save_image(tmp_path / folder / "a.png", (8, 8), seed=number)
        return tmp_path

    return make


def test_a_list_is_split_at_commas(here: Callable[..., Path]) -> None:
    """Spaces kept, or an empty part taken for a set."""
    here()
    assert split_datasets("Set5, Set14,,./x") == ("Set5", "Set14", "./x")
    assert split_datasets(" ") == ()


def test_a_folder_with_a_comma_that_is_there_is_one_set(here: Callable[..., Path]) -> None:
    """Splitting before looking: no path with a comma could be given."""
    here("a,b", "c, d", "x::y")
    assert split_datasets("Set5,./a,b,Set14") == ("Set5", "./a,b", "Set14")
    assert split_datasets("./c, d") == ("./c, d",)
    assert split_datasets("./a,b::./c, d") == ("./a,b::./c, d",)
    assert resolve_dataset("./a,b").name == "a,b"
    assert resolve_dataset("./a,b::./c, d").kind is DatasetKind.PAIRED


def test_a_comma_that_means_two_things_is_refused_and_quotes_decide(here: Callable[..., Path]) -> None:
    """Either reading taken in silence."""
    here("a,b", "a", "b")
    with pytest.raises(RequestError, match=r"'\./a,\./b' could be one folder|'a,b' could be one folder, or the 2 sets"):
        split_datasets("a,b")
    assert split_datasets('"a,b"') == ('"a,b"',)
    assert resolve_dataset('"a,b"').name == "a,b"
    assert split_datasets("./a,./b") == ("./a", "./b")


def test_a_registered_name_beside_a_comma_folder_is_seen(here: Callable[..., Path]) -> None:
    """A folder called `Set5,Set14` hiding the two sets."""
    here("Set5,Set14")
    with pytest.raises(RequestError, match="could be one folder"):
        split_datasets("Set5,Set14")
    assert split_datasets("./Set5,Set14") == ("./Set5,Set14",)


def test_colons_in_a_path_that_is_there_are_part_of_it(here: Callable[..., Path]) -> None:
    """Splitting at the first `::`."""
    here("x::y", "z", "HR::old/HR", "p::q::r")
    assert resolve_dataset("x::y").kind is DatasetKind.HR_ONLY
    pair = resolve_dataset("./x::y::z")
    assert [(s.hr.path.parent.name, s.lr.path.parent.name) for s in pair.samples(1) if s.hr and s.lr] == [("x::y", "z")]
    assert resolve_dataset("HR::old").name == "HR__old"
    with pytest.raises(RequestError, match=r"HR_DIR::LR_DIR.*there is no folder 'nowhere'"):
        resolve_dataset("x::y::nowhere")


def test_two_pairs_of_folders_in_one_text_are_refused_and_quotes_decide(here: Callable[..., Path]) -> None:
    """The first of two places where a text can be cut."""
    here("x", "y::z", "x::y", "z")
    with pytest.raises(RequestError, match="HR x with LR y::z or HR x::y with LR z"):
        resolve_dataset("x::y::z")
    pair = resolve_dataset('"x::y"::z')
    assert [s.hr.path.parent.name for s in pair.samples(1) if s.hr] == ["x::y"]


def test_spaces_at_the_end_of_a_folder_that_is_there_are_kept(here: Callable[..., Path]) -> None:
    """Stripping what was typed before looking."""
    here("photos ", "photos")
    assert resolve_dataset("./photos ").name == "photos "
    assert resolve_dataset(" ./photos").name == "photos"


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_a_folder_is_found_in_either_form_of_unicode(here: Callable[..., Path], typed: Literal["NFC", "NFD"]) -> None:
    """Byte comparison: what one system stores decomposed cannot be typed on another."""
    other = "NFD" if typed == "NFC" else "NFC"
    here(unicodedata.normalize(other, "Fotos/Köln"))
    dataset = resolve_dataset(unicodedata.normalize(typed, "Fotos/Köln"))
    assert (dataset.name, len(dataset.samples(2))) == ("Köln", 1)


def test_files_of_a_pair_match_in_either_form_of_unicode(tmp_path: Path, save_image: SAVE) -> None:
    """HR from one system and LR from another."""
    save_image(tmp_path / "HR" / unicodedata.normalize("NFC", "é.png"), (8, 8))
    save_image(tmp_path / "LR" / unicodedata.normalize("NFD", "éx2.png"), (4, 4))
    assert len(resolve_dataset(tmp_path).samples(2)) == 1


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("~nobodyhere/x", "no user 'nobodyhere' is known here"),
        ("./" + "x" * 5000, "there is no folder"),
        ("./nul\0byte", "there is no folder"),
        ('""', "there is no folder"),
        ("::", r"HR_DIR::LR_DIR"),
    ],
)
def test_paths_that_no_system_takes_are_refused_in_words(here: Callable[..., Path], typed: str, words: str) -> None:
    """RuntimeError, OSError and ValueError of the path library reaching the user."""
    here()
    with pytest.raises(RequestError, match=words):
        resolve_dataset(typed)


def test_a_config_takes_a_list_or_one_text(here: Callable[..., Path]) -> None:
    """Splitting the items of a list, in which every item is a set already."""
    here("a,b")
    values = {"methods": "bicubic", "scales": "2"}
    assert make_config({**values, "datasets": "./a,b,Set5"}).datasets == ("./a,b", "Set5")
    assert make_config({**values, "datasets": ["./a,b", "c,d"]}).datasets == ("./a,b", "c,d")
    with pytest.raises(RequestError, match="given twice"):
        make_config({**values, "datasets": "Set5,Set5"})


def test_a_name_with_a_comma_survives_a_list() -> None:
    """`bench table --datasets` could not name such a set."""
    assert names(as_list(["Set5", "a, b"])) == ("Set5", "a, b")
    assert names('5" disk,Set5') == ('5" disk', "Set5")
