"""Which files a run reads: said, equal for every layout of the same pixels, and never fewer than are there."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.imaging import imresize, write_png
from tests.cli.conftest import make_photo

BICUBIC = ("run", "--methods", "bicubic", "--metrics", "psnr", "--workers", 0)


def values(run: Path) -> list[str]:
    """The values of a run, by image; empty where there is none."""
    with (run / "records.csv").open(encoding="utf-8", newline="") as stream:
        return [row["value"] for row in sorted(csv.DictReader(stream), key=lambda row: row["image"])]


def write_pairs(root: Path, hr: str, lr: str, *, count: int = 3) -> None:
    """HR and LR files of x4 under names with {} for the image."""
    for number in range(count):
        photo = make_photo(number)
        for form, pixels in ((hr, photo), (lr, imresize(photo, (12, 16)).round().clip(0, 255).astype("uint8"))):
            path = root / form.format(f"p{number}")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, pixels)


@pytest.fixture
def of_two_folders(bench: Callable, newcomer: Path) -> list[str]:
    """Values of the pairs where nothing is to be found out: HR_DIR::LR_DIR of equal names."""
    write_pairs(newcomer, "Plain/HR/{}.png", "Plain/LR/{}.png")
    assert bench(*BICUBIC, "--datasets", "Plain/HR::Plain/LR", "--scales", 4, "--out", "plain").code == 0
    return values(newcomer / "plain")


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("Set/{}_HR.png", "Set/{}_LR4.png"),
        ("Set/{}_HR.png", "Set/{}_LR.png"),
        ("Set/HR/{}.png", "Set/LR/{}.png"),
        ("Set/GTmod12/{}.png", "Set/LRbicx4/{}.png"),
        ("Set/HR/Any/x4/{}_HR_x4.png", "Set/LR/LRBI/Any/x4/{}_LRBI_x4.png"),
    ],
)
def test_the_same_pixels_have_the_same_values_in_every_layout_and_a_stray_image_changes_none(
    bench: Callable, newcomer: Path, of_two_folders: list[str], hr: str, lr: str
) -> None:
    """Six HR images of three pairs (25.19 dB for 26.90), or a set of the one stray image (28.13 for 27.72)."""
    write_pairs(newcomer, hr, lr)
    write_png(newcomer / "Set" / "preview.png", make_photo(9))
    done = bench(*BICUBIC, "--datasets", "Set", "--scales", 4, "--out", "run")
    assert done.code == 0, done.err
    assert values(newcomer / "run") == of_two_folders
    assert "Set: read as 3 pairs: " in done.err
    assert "1 image not used: preview.png" in done.err
    shown = bench("data", "show", "Set", "--scale", 4)
    assert (shown.code, shown.err) == (0, "")
    assert next(line for line in shown.out.splitlines() if "read as" in line) in done.err


def test_a_set_of_one_image_is_said_to_hold_one(bench: Callable, newcomer: Path) -> None:
    """Catches "1 HR images"."""
    (newcomer / "Set").mkdir()
    write_png(newcomer / "Set" / "p.png", make_photo(0))
    assert bench("data", "show", "Set").out.splitlines()[0] == "Set: 1 HR image"


def test_every_image_of_basicsrs_layout_has_a_value(bench: Callable, newcomer: Path) -> None:
    """HR taken from `original`, whose sizes are not those of LR x 4: one image of five had a value."""
    for number in range(5):
        photo = make_photo(number, (50 + number, 61))
        for folder, pixels in (("original", photo), ("GTmod12", photo[:48, :60])):
            (newcomer / "Set" / folder).mkdir(parents=True, exist_ok=True)
            write_png(newcomer / "Set" / folder / f"p{number}.png", pixels)
        (newcomer / "Set" / "LRbicx4").mkdir(exist_ok=True)
        small = imresize(photo[:48, :60], (12, 15)).round().clip(0, 255).astype("uint8")
        write_png(newcomer / "Set" / "LRbicx4" / f"p{number}.png", small)
    assert bench(*BICUBIC, "--datasets", "Set", "--scales", 4, "--out", "run").code == 0
    assert [bool(value) for value in values(newcomer / "run")] == [True] * 5


@pytest.mark.parametrize("kind", ["dangling link", "link to itself", "pipe", "not readable", "empty"])
def test_a_file_that_cannot_be_read_is_a_failed_image_and_never_left_out(
    bench: Callable, photos: Path, newcomer: Path, kind: str
) -> None:
    """A mean of two images under the name of three, with exit code 0; a pipe must not be waited for either."""
    bad = photos / "p1.png"
    bad.unlink()
    if kind == "dangling link":
        bad.symlink_to(newcomer / "nowhere.png")
    elif kind == "link to itself":
        bad.symlink_to(bad)
    elif kind == "pipe":
        os.mkfifo(bad)
    else:
        bad.write_bytes(b"")
        bad.chmod(0o000 if kind == "not readable" else 0o644)
    done = bench(*BICUBIC, "--datasets", "Photos", "--scales", 2, "--out", "run")
    assert done.code == 1
    assert [bool(value) for value in values(newcomer / "run")] == [True, False, True]
    assert "2/3" in done.out
    shown = bench("data", "show", "Photos")
    assert "will fail: p1: p1.png is" in shown.err
    assert ("a link that leads nowhere" in shown.err) == ("link" in kind)


def test_a_pair_with_a_link_that_leads_nowhere_is_a_failed_pair(bench: Callable, newcomer: Path) -> None:
    """An LR file left out makes its HR file a stranger, or the set smaller."""
    write_pairs(newcomer, "Set/{}_HR.png", "Set/{}_LR4.png")
    (newcomer / "Set" / "p1_LR4.png").unlink()
    (newcomer / "Set" / "p1_LR4.png").symlink_to(newcomer / "nowhere.png")
    assert bench(*BICUBIC, "--datasets", "Set", "--scales", 4, "--out", "run").code == 1
    assert [bool(value) for value in values(newcomer / "run")] == [True, False, True]


def test_what_can_be_read_in_two_ways_is_refused_before_anything_is_written(bench: Callable, newcomer: Path) -> None:
    """Either reading taken, or a run folder left behind."""
    write_pairs(newcomer, "Set/HR/{}.png", "Set/LR/{}.png", count=1)
    write_png(newcomer / "Set" / "other.png", make_photo(9))
    done = bench(*BICUBIC, "--datasets", "Set", "--scales", 4, "--out", "run")
    assert done.code == 2
    assert "can be read in 2 ways" in done.err
    assert "Set/HR::Set/LR" in done.err
    assert not (newcomer / "run").exists()
    assert bench(*BICUBIC, "--datasets", "Set/HR::Set/LR", "--scales", 4, "--out", "run").code == 0


def test_datasets_are_given_several_times_and_paths_hold_commas(bench: Callable, newcomer: Path, photos: Path) -> None:
    """The last --datasets winning, or a path cut at its comma."""
    shutil.copytree(photos, newcomer / "mine, 2024")
    words = (*BICUBIC, "--scales", 2, "--limit", 1, "--out", "run")
    done = bench(*words, "--datasets", "Photos", "--datasets", "./mine, 2024")
    assert done.code == 0, done.err
    with (newcomer / "run" / "summary.csv").open(encoding="utf-8", newline="") as stream:
        assert {row["dataset"] for row in csv.DictReader(stream)} == {"Photos", "mine, 2024"}
    assert bench(*words[:-1], "quoted", "--datasets", '"./mine, 2024",Photos').code == 0
    table = bench("table", "run", "--datasets", '"mine, 2024"')
    assert table.code == 0
    assert "Photos" not in table.out
    again = bench("run", "--config", "run/run.json", "--dry-run")
    assert (again.code, "0 images to compute" in again.out) == (0, True)


def test_the_show_command_names_what_is_read_and_refuses_what_is_not(bench: Callable, newcomer: Path) -> None:
    """Prints of ten images as if they were all, or another id than a run stores."""
    write_pairs(newcomer, "Set/HR/{}.png", "Set/LR/X4/{}x4.png", count=12)
    shown = bench("data", "show", "Set", "--scale", 4)
    assert shown.out.startswith("Set: read as 12 pairs: HR/*.png + LR/X4/*x4.png\n")
    assert "name Set, paired, protocol sample" in shown.out
    assert "p0: Set/HR/p0.png (48 x 64) + Set/LR/X4/p0x4.png (12 x 16)" in shown.out
    assert "… and 2 more (--all)" in shown.out
    assert bench("data", "show", "Set", "--scale", 4, "--all").out.count("x4.png (12 x 16)") == 12
    wrong = bench("data", "show", "Set", "--scale", 3)
    assert (wrong.code, wrong.out) == (2, "")
    assert "no LR images for x3, only for x4" in wrong.err


def test_counting_is_not_called_verifying(bench: Callable, newcomer: Path) -> None:
    """ "as published" of images that were only counted."""
    for number in range(24):
        (newcomer / "data" / "Kodak24").mkdir(parents=True, exist_ok=True)
        write_png(newcomer / "data" / "Kodak24" / f"k{number}.png", make_photo(number))
    done = bench("data", "verify", "Kodak24", "--data-root", "data")
    assert "24 images, as many as were published; what they show was not compared" in done.out


@pytest.mark.reference
def test_a_registered_set_has_one_number_by_name_and_by_folder(
    bench: Callable, newcomer: Path, reference_root: Path
) -> None:
    """The protocol `sample` for the folder: 35.27 dB where the name gives 36.96."""
    root = reference_root / "data" / "test"
    shutil.copytree(root / "Set5", newcomer / "copies" / "five")
    words = (*BICUBIC, "--scales", 2, "--limit", 2)
    assert bench(*words, "--datasets", "Set5", "--data-root", root, "--out", "name").code == 0
    done = bench(*words, "--datasets", "copies/five", "--out", "folder")
    assert done.code == 0
    assert values(newcomer / "name") == values(newcomer / "folder")
    assert "copies/five: the images of Set5 by their hashes, so called Set5; its protocol is basicsr-y" in done.err
