"""The hash of what files and folders hold: content changes it, names, places and dates do not."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from bench.imaging.hashing import content_files, content_hash, file_sha256


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder of weights as a hub would give it."""
    folder = tmp_path / "sd"
    for name, text in {
        "unet/config.json": "{}",
        "unet/model.safetensors": "numbers",
        "tokenizer/merges.txt": "a b",
        "tokenizer/vocab.txt": "a",
        "tokenizer/spiece.model": "pieces",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    """Catches a name or a date in the hash."""
    one, two = tmp_path / "one.pth", tmp_path / "two.pth"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    os.utime(two, ns=(0, 0))
    assert content_hash(one) == content_hash(two) == file_sha256(one) == hashlib.sha256(b"same").hexdigest()


def test_bytes_replaced_under_the_same_size_and_date_are_seen(tmp_path: Path) -> None:
    """Catches a memory that knows a file by size and modification time alone."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"first")
    os.utime(path, ns=(10**18, 10**18))
    before = file_sha256(path)
    path.write_bytes(b"other")
    os.utime(path, ns=(10**18, 10**18))
    assert file_sha256(path) == hashlib.sha256(b"other").hexdigest() != before


def test_a_file_that_changes_within_the_resolution_of_its_dates_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a hash that is remembered of a file that was written a moment ago and is written once more."""
    path = tmp_path / "model.bin"
    now = time.time_ns()
    monkeypatch.setattr("bench.imaging.hashing.file_stamp", lambda each: (now, now, 5, 1))
    path.write_bytes(b"first")
    before = file_sha256(path)
    path.write_bytes(b"other")
    assert file_sha256(path) != before


def test_a_settled_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a memory that never remembers: a set of a thousand images would be read again for every cell."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"bytes")
    monkeypatch.setattr("bench.imaging.hashing.time.time_ns", lambda: path.stat().st_ctime_ns + 10**10)
    reads = []
    monkeypatch.setattr("bench.imaging.hashing._sha256", lambda each: reads.append(each) or "digest")
    assert [file_sha256(path) for _ in range(3)] == ["digest"] * 3
    assert len(reads) == 1


def test_a_renamed_folder_holds_the_same_and_a_renamed_file_in_it_does_not(weights: Path) -> None:
    before = content_hash(weights)
    moved = weights.rename(weights.with_name("turbo"))
    assert content_hash(moved) == before
    (moved / "unet" / "model.safetensors").rename(moved / "unet" / "other.safetensors")
    assert content_hash(moved) != before


@pytest.mark.parametrize(
    "stray", ["notes.txt", "README.md", "LICENSE", "unet/licence.txt", ".DS_Store", ".cache/x.json", "train.log"]
)
def test_a_stray_file_beside_the_weights_changes_nothing(weights: Path, stray: str) -> None:
    before = content_hash(weights)
    (weights / stray).parent.mkdir(exist_ok=True)
    (weights / stray).write_text("words")
    assert content_hash(weights) == before


@pytest.mark.parametrize(
    "part", ["unet/config.json", "unet/model.safetensors", "tokenizer/merges.txt", "tokenizer/vocab.txt"]
)
def test_every_part_that_a_model_is_made_of_counts(weights: Path, part: str) -> None:
    """Catches a rule that takes a tokenizer's vocabulary or a configuration for prose."""
    before = content_hash(weights)
    (weights / part).write_text("changed")
    assert content_hash(weights) != before
    (weights / part).unlink()
    assert content_hash(weights) != before


def test_moving_bytes_between_names_of_a_folder_is_another_content(tmp_path: Path) -> None:
    """Catches names and bytes that are hashed apart from each other."""
    for name, texts in {"one": ("1", "2"), "two": ("2", "1")}.items():
        (tmp_path / name).mkdir()
        for file, text in zip(("a.bin", "b.bin"), texts, strict=True):
            (tmp_path / name / file).write_text(text)
    assert content_hash(tmp_path / "one") != content_hash(tmp_path / "two")


def test_a_choice_of_files_is_all_that_counts_of_a_folder(weights: Path) -> None:
    chosen = [weights / "unet" / "model.safetensors"]
    before = content_hash(weights, chosen)
    (weights / "unet" / "config.json").write_text("changed")
    assert content_hash(weights, chosen) == before
    chosen[0].write_text("changed")
    assert content_hash(weights, chosen) != before


def test_what_never_ends_is_refused(tmp_path: Path) -> None:
    """Catches a hang on a named pipe, or a device, that was given as weights."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="expected a regular file"):
        file_sha256(pipe)
    assert list(content_files(tmp_path)) == []
