"""`bench figure drift`: variants side by side, the numbers beside the figure, and wrong requests."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.imaging import read_image, write_png

PLUGIN = Path(__file__).parents[2] / "methods" / "plugins" / "cascade.py"
WORDS = ("--data", "Photos", "--scale", 8, "--plugin", PLUGIN, "--device", "cpu", "--protocol", "sample")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_methods_and_variants_stand_side_by_side(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches variants without their options, methods without stages left out, and numbers of another variant."""
    versus = ("--versus", "cascade.gain=3", "--versus", "cascade.gain=0.5")
    done = bench("figure", "drift", "bicubic,cascade", *WORDS, *versus, "--out", "d.png")
    assert (done.code, done.err) == (0, "")
    rows = rows_of(newcomer / "d.csv")
    seen = {(row["method"], row["variant"], int(row["cycle"])) for row in rows}
    variants = ("", "gain=3.0", "gain=0.5")
    expected = {("cascade", variant, cycle) for variant in variants for cycle in range(4)}
    assert seen == expected | {("bicubic", "", 0), ("bicubic", "", 1)}
    assert len(rows) == 3 * len(seen)
    last = {
        row["variant"]: np.mean(
            [float(r["gradient_sd"]) for r in rows if r["cycle"] == "3" and r["variant"] == row["variant"]]
        )
        for row in rows
        if row["method"] == "cascade"
    }
    assert last["gain=0.5"] < last[""] < last["gain=3.0"]
    assert "Cascade (gain=0.5)" in done.out
    assert "4 variants, 3 images" in done.out
    assert read_image(newcomer / "d.png").pixels.shape[1] == 2100


def test_the_file_of_distributions_says_how_values_are_shared(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches shares that do not sum to one, and densities of a single image."""
    assert bench("figure", "drift", "cascade", *WORDS, "--out", "d.svg").code == 0
    rows, numbers = rows_of(newcomer / "d-densities.csv"), rows_of(newcomer / "d.csv")
    for cycle in range(4):
        for kind in ("luma", "gradient"):
            own = [row for row in rows if row["cycle"] == str(cycle) and row["of"] == kind]
            for column in ("share", "hr_share"):
                assert sum(float(row[column]) for row in own) == pytest.approx(1, abs=1e-6)
    last = [row for row in rows if (row["cycle"], row["of"]) == ("3", "gradient")]
    mean = sum(float(row["share"]) * int(row["value"]) for row in last)
    square = sum(float(row["share"]) * int(row["value"]) ** 2 for row in last)
    spreads = [float(row["gradient_sd"]) for row in numbers if row["cycle"] == "3"]
    assert len(spreads) == 3
    assert square - mean**2 == pytest.approx(np.mean(np.square(spreads)), rel=0.01)


def test_options_of_set_hold_for_every_variant(bench: Callable, photos: Path, newcomer: Path) -> None:
    words = ("--set", "cascade.gain=2", "--versus", "cascade.samples=2 cascade.gain=1", "--limit", 1)
    assert bench("figure", "drift", "cascade", *WORDS, *words, "--out", "d.pdf").code == 0
    assert {row["variant"] for row in rows_of(newcomer / "d.csv")} == {"gain=2.0", "gain=1.0,samples=2"}


def test_an_image_that_fails_is_left_out_for_all_and_said(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches means over different images in one figure."""
    write_png(photos / "tiny.png", np.zeros((4, 4, 3), np.uint8))
    done = bench("figure", "drift", "bicubic,cascade", *WORDS, "--out", "d.png")
    assert done.code == 1
    assert "tiny is left out" in done.err
    assert {row["image"] for row in rows_of(newcomer / "d.csv")} == {"p0", "p1", "p2"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--versus", "cascade.gian=3"), "gain"),
        (("--versus", "bicubic.gain=3"), "not among the methods"),
        (("--versus", ""), "the word behind --versus is empty"),
        (("--versus", " "), "--versus needs"),
        (("--versus", "cascade.gain=1.0"), "must differ from the others"),
        (("--scale", "0.5"), "scale 0.5"),
        (("--out", "d.jpg"), ".png, .pdf, .svg"),
        (("--scale", "400"), "nothing could be measured"),
    ],
)
def test_wrong_requests_are_told_what_to_type(
    words: tuple[str, ...], said: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    done = bench("figure", "drift", "cascade", *WORDS, "--out", "d.png", *words)
    assert done.code == 2
    assert said in done.err
    assert not list(newcomer.glob("d*"))
