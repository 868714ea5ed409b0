"""`--scales 1.5x2`, typed: through every command that takes a scale, to every file that shows one."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.analysis.frames import load_run
from bench.api import ScalePair
from bench.imaging import read_image

RUN = ("run", "--methods", "bicubic,nearest,bilinear", "--datasets", "Photos", "--workers", 0, "--out", "run")
SCALES = ("--scales", "2,1.5x2,1.6", "--metrics", "psnr,ssim,selfssim", "--protocol", "basicsr-y")


@pytest.fixture
def run(bench: Callable, photos: Path, newcomer: Path) -> Path:
    """A run of two methods at two numbers and a pair."""
    done = bench(*RUN, *SCALES)
    assert (done.code, done.err) == (0, "")
    return newcomer / "run"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_at_a_pair_is_stored_shown_and_repeated(bench: Callable, run: Path) -> None:
    """Catches a pair that is another text in one of the files, LaTeX without its second sign, and a second run that
    does not know its own records."""
    assert {row["scale"] for row in rows(run / "records.csv")} == {"2", "1.5x2", "1.6"}
    assert [row["scale"] for row in rows(run / "summary.csv") if row["metric"] == "psnr"][:3] == ["1.6", "1.5x2", "2"]
    assert {row["metric"] for row in rows(run / "records.csv")} >= {"selfssim@1.5x2", "selfssim@2"}
    assert (run / "images/bicubic/Photos/x1.5x2-s0/p0.png").is_file()
    assert r"$\times$1.5$\times$2" in (run / "table.tex").read_text()
    assert "×1.5×2" in (run / "table.md").read_text()
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["request"]["scales"] == ["2", "1.5x2", "1.6"]
    assert [cell["cell"]["scale"] for cell in manifest["cells"][:3]] == [2.0, "1.5x2", 1.6]
    again = bench("run", "--config", "run/run.json")
    assert again.code == 0
    assert "computed 0 images (27 were there), made 0 numbers" in again.out


def test_numbers_at_a_pair_are_those_of_its_own_crop_and_border(run: Path, photos: Path) -> None:
    """Catches a border of one width on both axes, and HR cut to the sizes of another scale."""
    from bench.imaging import studio_luma

    sr = studio_luma(read_image(run / "images/bicubic/Photos/x1.5x2-s0/p1.png").pixels)
    hr = studio_luma(read_image(photos / "p1.png").pixels)[: sr.shape[0], : sr.shape[1]]
    error = np.mean((sr - hr)[2:-2, 2:-2] ** 2)  # ceil(1.5) rows, ceil(2) columns
    (value,) = (
        float(row["value"])
        for row in rows(run / "records.csv")
        if (row["method"], row["scale"], row["image"], row["metric"]) == ("bicubic", "1.5x2", "p1", "psnr")
    )
    assert value == pytest.approx(10 * np.log10(255**2 / error), abs=1e-9)


def test_a_copy_without_its_records_reads_the_same(run: Path, newcomer: Path) -> None:
    """Catches a reader of records.csv that takes scales for floats, as it once did."""
    whole = load_run(run)
    copy = newcomer / "copy"
    copy.mkdir()
    for name in ("run.json", "records.csv"):
        (copy / name).write_bytes((run / name).read_bytes())
    assert load_run(copy).summary.equals(whole.summary)
    assert set(whole.summary["scale"]) == {2.0, 1.6, ScalePair(1.5, 2)}


@pytest.mark.parametrize(
    "words",
    [
        ("table", "run", "--scales", "1.50x2.0"),
        ("table", "run", "--per-image", "--scales", "1.5x2"),
        ("compare", "run", "bicubic", "nearest", "--scale", "1.5x2"),
        ("audit", "run"),
        ("audit", "run/records.csv"),
        ("leaderboard", "run", "--out", "board"),
        ("export", "run", "--format", "parquet", "--out", "out"),
        ("export", "run", "--format", "hf-eval", "--hub-dataset", "Photos=us/photos", "--out", "out"),
        ("export", "run", "--format", "eee", "--organisation", "Us", "--relationship", "other", "--out", "out"),
        ("figure", "plane", "run", "--out", "p.pdf", "--x", "psnr", "--y", "ssim"),
        ("figure", "ranks", "run", "--out", "r.pdf", "--over", "images"),
        ("figure", "selfssim", "run", "--out", "s.pdf"),
        ("figure", "crops", "run", "--out", "c.pdf", "--image", "p0", "--box", "4,4,8,8"),
        ("figure", "errors", "run", "--out", "e.pdf", "--image", "p0"),
        ("protocol-diff", "run", "--protocols", "sample"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_every_reader_of_a_run_takes_a_pair(bench: Callable, run: Path, words: tuple[str, ...]) -> None:
    """Catches a `float(scale)` or a `:g` that is left anywhere behind a run folder (the command would end in a
    traceback)."""
    done = bench(*words)
    assert done.code in (0, 1), done.err
    assert "error" not in done.err, done.err


def test_the_page_holds_pairs_as_texts(bench: Callable, run: Path) -> None:
    """Catches a pair written as its mean, and scales sorted as texts."""
    assert bench("leaderboard", "run", "--out", "board").code == 0
    page = (run.parent / "board" / "index.html").read_text(encoding="utf-8")
    assert '"1.5x2"' in page
    assert "| ×1.6 | ×1.5×2 | ×2 |" in (run.parent / "board" / "leaderboard.md").read_text(encoding="utf-8")


def test_a_curve_leaves_pairs_out_and_says_so(bench: Callable, run: Path) -> None:
    """Catches a pair at its mean among scales that it is no neighbour of, and one that vanishes unsaid."""
    done = bench("figure", "curve", "run", "--out", "c.pdf", "--metrics", "psnr")
    assert (done.code, done.err) == (0, "")
    assert "Left out, for two factors have no place on an axis of one: ×1.5×2." in done.out
    assert {row["scale"] for row in rows(run.parent / "c.csv")} == {"2", "1.6"}
    done = bench("figure", "curve", "run", "--out", "c.pdf", "--metrics", "psnr", "--scales", "1.5x2,2")
    assert done.code == 2
    assert "at least two scales of one factor" in done.err


def test_images_made_elsewhere_are_scored_at_a_pair(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches x1.5x2 looked for as x1.5, a file of x1.5x2 taken at x1.5, and width x height."""
    assert bench("data", "lr", "Photos", "--scales", "1.5x2", "--protocol", "sample", "--out", "lr").code == 0
    assert read_image(newcomer / "lr/x1.5x2/p0.png").pixels.shape == (32, 32, 3)
    for index in range(3):
        done = bench("upscale", "bicubic", f"lr/x1.5x2/p{index}.png", f"lr/p{index}.png", "--scale", "1.5x2")
        assert done.code == 0
        assert read_image(newcomer / f"lr/p{index}.png").pixels.shape == (48, 64, 3)
        (newcomer / "sr").mkdir(exist_ok=True)
        (newcomer / f"lr/p{index}.png").rename(newcomer / f"sr/p{index}_x1.5x2.png")
    words = ("score", "sr", "Photos", "--protocol", "sample", "--metrics", "psnr", "--workers", 0)
    done = bench(*words, "--scale", "1.5x2", "--out", "scored")
    assert (done.code, done.err) == (0, "")
    assert bench(*RUN, "--scales", "1.5x2", "--metrics", "psnr", "--protocol", "sample").code == 0
    ours = {r["image"]: r["value"] for r in rows(newcomer / "run/records.csv") if r["method"] == "bicubic"}
    assert {r["image"]: r["value"] for r in rows(newcomer / "scored/records.csv")} == ours
    wrong = bench(*words, "--scale", "1.5", "--out", "wrong")
    assert wrong.code != 0
    assert "no file for image 'p0' at x1.5" in wrong.out + wrong.err


def test_a_program_is_told_both_factors(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches {scale} as the ratio of one axis."""
    script = newcomer / "up.py"
    script.write_text(
        "import sys, cv2\n"
        "source, target, scale, width, height = sys.argv[1:]\n"
        "assert scale == '1.5x2', scale\n"
        "cv2.imwrite(target, cv2.resize(cv2.imread(source), (int(width), int(height))))\n"
    )
    words = f"{sys.executable} {script} " + "{input} {output} {scale} {width} {height}"
    done = bench(
        *("run", "--methods", "command", "--set", f"command.run={words}", "--datasets", "Photos", "--limit", 1),
        *("--scales", "1.5x2", "--metrics", "psnr", "--protocol", "sample", "--workers", 0, "--out", "run"),
    )
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "--methods", "bicubic", "--scales", "2x"), "--scales 2x: '2x' is not a scale: give 2 alone"),
        (("run", "--methods", "bicubic", "--scales", "4,4.00000000001"), "more than 10 digits"),
        (("run", "--methods", "bicubic", "--scales", "4x8", "--protocol", "face-idm"), "no scale per axis"),
        (("figure", "growth", "bicubic", "--scale", "1.5x2", "--out", "g.pdf"), "a factor per axis"),
        (("table", "run", "--scales", "2x1.5"), "scale 2x1.5 is not in this run; it holds 1.6, 1.5x2, 2"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    bench: Callable, run: Path, words: tuple[str, ...], said: str
) -> None:
    """Catches a refusal after images were made, and a pair passed over in silence."""
    done = bench(*words)
    assert done.code == 2
    assert said in done.err


def test_scales_that_print_alike_are_one_column(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches two columns of one name, whose comparison across scales has no value."""
    done = bench(*RUN, "--scales", "2,2.00,2x2", "--metrics", "psnr", "--protocol", "sample")
    assert done.code == 0
    assert {row["scale"] for row in rows(newcomer / "run/records.csv")} == {"2"}
