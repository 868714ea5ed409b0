"""`bench compare` as it is typed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest


@pytest.fixture
def run_folder(photos: Path, bench) -> str:
    """A run of three methods on three images."""
    done = bench(
        "run", "--methods", "nearest,bicubic,lanczos", "--scales", "2", "--datasets", photos, "--metrics", "psnr,ssim",
        "--out", "run", "--workers", "0",
    )  # fmt: skip
    assert done.code == 0, done.err
    return "run"


def test_every_format_says_the_same(bench, run_folder: str) -> None:
    """Catches a format of which the numbers are of another cell or rounded."""
    rows = json.loads(bench("compare", run_folder, "Ours=lanczos", "bicubic", "--format", "json").out)["rows"]
    table = list(csv.DictReader(io.StringIO(bench("compare", run_folder, "lanczos", "Bicubic", "--format", "csv").out)))
    assert [row["metric"] for row in rows] == ["psnr", "ssim"]
    assert [float(row["difference"]) for row in table] == pytest.approx([row["difference"] for row in rows])
    assert rows[0]["difference"] == pytest.approx(rows[0]["mean_a"] - rows[0]["mean_b"])
    assert rows[0]["wins"] + rows[0]["losses"] + rows[0]["ties"] == 3
    for output in ("text", "markdown", "latex"):
        text = bench("compare", run_folder, "Ours=lanczos", "bicubic", "--format", output, "--metric", "psnr").out
        assert "Ours" in text
        assert f"{abs(rows[0]['difference']):.3f}" in text
        assert "SSIM" not in text


def test_two_run_folders_may_hold_one_row_each(bench, run_folder: str) -> None:
    """Catches folders that are merged, so that a row of one name can be only in one of them."""
    done = bench("compare", run_folder, run_folder, "bicubic", "bicubic", "--metric", "psnr")
    assert done.code == 0
    assert "0/0/3" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "lancos", "bicubic"), "Did you mean 'Lanczos'"),
        (("run", "bicubic"), "expected RUN_FOLDER A B"),
        (("run", "lanczos", "bicubic", "--effect", "psnr=much"), "METRIC=VALUE"),
        (("run", "lanczos", "bicubic", "--effect", "pnsr=1"), "no such metric is compared here"),
        (("run", "lanczos", "bicubic", "--format", "xls"), "text, md, tex, csv or json"),
        (("run", "=lanczos", "bicubic"), "expected LABEL=ROW"),
        (("run", "X=lanczos", "X=bicubic"), "both be called 'X'"),
    ],
)
def test_wrong_words_are_answered(bench, run_folder: str, words: tuple[str, ...], said: str) -> None:
    """Catches a traceback, or a default that is taken silently."""
    done = bench("compare", *words)
    assert done.code == 2
    assert said in done.err
