"""Names that a spreadsheet would run as formulas: they are shielded in every CSV file and come back as they were."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bench
from bench.analysis.frame_csv import frame_csv
from bench.analysis.frames import load_run
from bench.api.csv_cells import shielded, unshielded
from bench.data.lr_files import write_lr_files
from bench.figures.numbers import csv_text
from bench.imaging import write_png

FORMULAS = ("=cmd()", "@SUM(1)", "+x", "-y", "'=z")
BEGINS = ("=", "+", "-", "@", "\t", "\r")


@given(st.text(alphabet="=+-@'\t\r1.e a", max_size=6))
def test_a_shielded_name_comes_back_and_is_no_formula(name: str) -> None:
    """Catches a shield that is taken off another name, and one that is put before a number or the lone hyphen."""
    cell = shielded(name)
    assert unshielded(cell) == name
    if cell.startswith(BEGINS):
        assert cell == "-" or np.isfinite(float(cell)) or cell.lstrip("+-")[0].isalpha()


@pytest.mark.parametrize("value", ["-", "-1", "+3", "-1.5e-3", -2, 0.5, None, "baby", "a=b", "it's", "-inf"])
def test_numbers_and_other_names_stay_as_they_are(value: object) -> None:
    """Catches a spreadsheet of texts in place of numbers."""
    assert shielded(value) is value


def test_a_frame_and_a_figures_rows_are_shielded_alike() -> None:
    """Catches one writer of CSV that goes its own way."""
    names = ["=cmd()", "baby", "-"]
    text = frame_csv(pd.DataFrame({"image": names, "value": [-1.0, 2.0, np.nan]}))
    assert text == "image,value\n'=cmd(),-1.0\nbaby,2.0\n-,\n"
    assert csv_text([{"image": name, "value": -1.0} for name in names]).splitlines()[1] == "'=cmd(),-1.0"


def test_a_run_over_such_names_is_shielded_and_read_back(tmp_path: Path) -> None:
    """Catches a shield that becomes part of a name: in the next table, on the leaderboard, in an audit."""
    folder, out = tmp_path / "=set", tmp_path / "run"
    folder.mkdir()
    for seed, name in enumerate(FORMULAS):
        write_png(folder / f"{name}.png", np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    run = bench.run(methods="bicubic", datasets=str(folder), scales=2, metrics="psnr", out=out, workers=0)
    for file in ("records.csv", "summary.csv"):
        with (out / file).open(encoding="utf-8", newline="") as stream:
            for line in csv.reader(stream):
                assert not [cell for cell in line if cell.startswith(BEGINS) and cell != "-" and not _number(cell)]
    assert "'=cmd()" in (out / "records.csv").read_text()
    expected = set(run.frames.records["image"])
    assert expected == set(FORMULAS)
    shutil.rmtree(out / "records")  # records.csv and run.json alone are enough to read a run
    assert set(load_run(out).records["image"]) == expected
    assert set(load_run(out).records["dataset"]) == {"=set"}


def _number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).replace("e", "", 1).isdigit() or text in ("-inf", "inf")


def test_the_sizes_of_lr_files_are_shielded(tmp_path: Path) -> None:
    """Catches the sizes.csv of `bench data lr`, which is written below all tables."""
    from bench.api import PRESETS
    from bench.data import resolve_dataset

    folder = tmp_path / "set"
    folder.mkdir()
    write_png(folder / "=cmd().png", np.zeros((16, 16, 3), np.uint8))
    write_lr_files(resolve_dataset(folder), (2.0,), PRESETS["sample"], tmp_path / "lr")
    (text,) = [path.read_text() for path in (tmp_path / "lr").rglob("*.csv")]
    assert "\n'=cmd()," in text
