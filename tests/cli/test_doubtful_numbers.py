"""Doubtful numbers carry their mark wherever they are printed, and say it on the terminal in the same words."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = "an LR side is below 16 px, the methods see almost nothing"


@pytest.fixture
def run(bench: Callable, photos: Path) -> Path:
    """Three images of 48 x 64 px at two scales: LR is 24 px high, then 12."""
    words = ("--datasets", "Photos", "--metrics", "psnr", "--workers", 0, "--out", "run")
    done = bench("run", "--methods", "nearest,bicubic", "--scales", "2,4", *words)
    assert done.code == 0, done.err
    assert f"doubtful: Photos x4: {WORDS}" in done.err
    return Path("run")


def test_summary_markdown_and_latex_mark_the_same_cells(bench: Callable, run: Path) -> None:
    """Catches a mark that one of the writers forgets, or that stands at the numbers of a good scale."""
    with (run / "summary.csv").open(encoding="utf-8", newline="") as file:
        doubts = {(row["method"], row["scale"]): row["doubt"] for row in csv.DictReader(file)}
    assert doubts == {(m, s): WORDS if s == "4" else "" for m in ("nearest", "bicubic") for s in ("2", "4")}
    text = (run / "table.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if "Bicubic" in line)
    cells = [cell.strip() for cell in line.split("|")]
    assert [cell.endswith("<sup>a</sup>") for cell in cells if re.search(r"\d\d\.\d\d", cell)] == [False, True]
    assert f"<sup>a</sup> {WORDS}." in text
    tex = (run / "table.tex").read_text(encoding="utf-8")
    assert tex.count(r"\rlap{\textsuperscript{a}}") == 2
    assert rf"\textsuperscript{{a}}\,{WORDS}." in tex


def test_a_copy_without_images_and_a_merged_run_still_know(bench: Callable, run: Path) -> None:
    """Catches sizes that are kept beside the records and lost with them."""
    copy = Path("copy")
    copy.mkdir()
    for name in ("run.json", "records.csv"):
        shutil.copy(run / name, copy / name)
    assert f"<sup>a</sup> {WORDS}." in bench("table", copy, "--format", "md").out
    shutil.copytree(run, "again")
    assert bench("merge", run, "again", "--out", "merged").code == 0
    assert WORDS in Path("merged", "summary.csv").read_text(encoding="utf-8")


def test_the_leaderboard_says_it_beside_the_number(bench: Callable, run: Path) -> None:
    """Catches a page on which a doubtful number looks like any other."""
    for number, source in enumerate((run, run / "summary.csv")):
        assert bench("leaderboard", source, "--out", f"page{number}").code == 0
        with Path(f"page{number}", "leaderboard.csv").open(encoding="utf-8", newline="") as file:
            notes = {row["scale"]: row["note"] for row in csv.DictReader(file)}
        assert notes == {"2": "", "4": WORDS}
