"""`bench figure selfssim`: the matrix of a run against the stored images themselves, and wrong requests."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.api import CellId, CellPlan, ImageSet, Origin, RunManifest
from bench.imaging import read_image
from bench.metrics.selfssim import self_ms_ssim_nearest, self_ssim

RUN = ("--methods", "bicubic,nearest", "--datasets", "Photos", "--workers", 0, "--device", "cpu", "--out", "run")


@pytest.fixture
def run(bench: Callable, photos: Path, newcomer: Path) -> Path:
    """A finished run with both metrics, in `run`; the outputs of 48 x 64 px photos differ in size at these scales."""
    done = bench("run", *RUN, "--scales", "2,5,7", "--metrics", "selfssim,selfssim_msssim_nn", "--protocol", "sample")
    assert done.code == 0, done.err
    return newcomer / "run"


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def stored(run: Path, method: str, scale: str) -> list[np.ndarray]:
    found = sorted((run / "images" / method).rglob("*.png"))
    return [read_image(path).pixels for path in found if f"x{scale}-s0" in str(path)]


@pytest.mark.parametrize(("metric", "compare"), [("selfssim", self_ssim), ("selfssim_msssim_nn", self_ms_ssim_nearest)])
def test_every_cell_is_the_mean_of_the_stored_outputs_compared_at_the_columns_size(
    metric: str, compare: Callable, bench: Callable, run: Path, newcomer: Path
) -> None:
    done = bench("figure", "selfssim", run, "--out", "m.png", "--metric", metric)
    assert (done.code, done.err) == (0, "")
    rows = read_csv(newcomer / "m.csv")
    assert len(rows) == 2 * 9
    means = {}
    for row in rows:
        a, b = row["output_scale"], row["reference_scale"]
        if a == b:
            assert float(row["mean"]) == 1
            continue
        pairs = zip(stored(run, row["method"], a), stored(run, row["method"], b), strict=True)
        values = [compare(first, second) for first, second in pairs]
        assert len(values) == 3
        assert float(row["mean"]) == pytest.approx(np.mean(values), abs=1e-9)
        assert (row["n"], row["expected"], row["signature"].split("|")[0]) == ("3", "3", metric)
        means[row["method"], a, b] = float(row["mean"])
    assert abs(means["bicubic", "2", "7"] - means["bicubic", "7", "2"]) > 1e-4  # so that a transposed one would differ


def test_the_figure_and_three_texts_are_written_and_one_is_printed(bench: Callable, run: Path, newcomer: Path) -> None:
    done = bench("figure", "selfssim", run, "--out", "m.png", "--caption", "Mine & yours")
    assert {path.name for path in newcomer.glob("m.*")} == {"m.png", "m.csv", "m.tex", "m.md"}
    assert (newcomer / "m.md").read_text().strip() in done.out
    assert "m.png: with m.csv, m.tex, m.md" in done.out
    assert r"\caption{Mine \& yours}" in (newcomer / "m.tex").read_text()
    assert read_image(newcomer / "m.png").pixels.shape[1] > 900
    for suffix in ("pdf", "svg"):
        assert bench("figure", "selfssim", run, "--out", f"v.{suffix}", "--format", "tex").code == 0
    printed = bench("figure", "selfssim", run, "--out", "w.png", "--format", "csv").out
    assert printed == (newcomer / "w.csv").read_text()


def test_methods_and_scales_can_be_chosen(bench: Callable, run: Path, newcomer: Path) -> None:
    words = ("--methods", "nearest", "--datasets", "Photos", "--scales", "2,7")
    assert bench("figure", "selfssim", run, "--out", "m.png", *words).code == 0
    found = [(r["method"], r["output_scale"], r["reference_scale"]) for r in read_csv(newcomer / "m.csv")]
    assert found == [("nearest", a, b) for a in "27" for b in "27"]


def test_a_lost_image_leaves_counts_and_no_means(bench: Callable, run: Path, newcomer: Path) -> None:
    shutil.rmtree(run / "records")  # a copy of the exports alone
    path = run / "records.csv"
    lines = path.read_text().splitlines(keepends=True)
    gone = [line for line in lines if line.startswith("bicubic,-,Photos,p1,5,")]
    assert len(gone) == 4
    path.write_text("".join(line for line in lines if line not in gone))
    assert bench("figure", "selfssim", run, "--out", "m.png").code == 0
    for row in read_csv(newcomer / "m.csv"):
        lost = row["method"] == "bicubic" and row["output_scale"] == "5" != row["reference_scale"]
        assert (row["mean"] == "") == lost
        assert (row["n"], row["expected"]) == ("2", "3") or not lost


def test_two_protocols_in_one_folder_are_refused_until_one_is_chosen(
    bench: Callable, run: Path, newcomer: Path
) -> None:
    again = bench("run", *RUN, "--scales", "2,5", "--metrics", "selfssim", "--protocol", "liif-div2k")
    assert again.code == 0, again.err
    done = bench("figure", "selfssim", run, "--out", "m.png")
    assert done.code == 2
    assert "cannot mix protocols" in done.err
    assert "--protocol" in done.err
    assert not list(newcomer.glob("m.*"))
    for protocol, scales in (("liif-div2k", "25"), ("sample", "257")):
        assert bench("figure", "selfssim", run, "--out", "m.png", "--protocol", protocol).code == 0
        rows = read_csv(newcomer / "m.csv")
        assert {row["output_scale"] for row in rows} == set(scales)
        assert all(row["mean"] for row in rows)
        assert f"Protocol: `{protocol}`" in (newcomer / "m.md").read_text()


@pytest.mark.parametrize(
    ("metrics", "scales"), [("psnr", "2,3"), ("psnr,selfssim", "2")], ids=["no metric", "one scale"]
)
def test_a_run_without_comparisons_says_what_to_run(
    metrics: str, scales: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    without_a_value = int(metrics != "psnr")
    assert bench("run", *RUN, "--scales", scales, "--metrics", metrics).code == without_a_value
    done = bench("figure", "selfssim", "run", "--out", "m.png")
    assert (done.code, done.out) == (2, "")
    assert "compares no scales" in done.err
    assert "two or more --scales and --metrics selfssim" in done.err
    assert not list(newcomer.glob("m.*"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--metric", "selfsim"), "Did you mean 'selfssim'"),
        (("--metric", "psnr"), "psnr"),
        (("--methods", "bicubicc"), "Did you mean 'bicubic'"),
        (("--datasets", "Set5"), "Set5"),
        (("--scales", "2,5"), "it holds 2, 3, 4"),
        (("--scales", "2"), "at least two scales"),
        (("--scales", "x"), "'x' is not a scale"),
        (("--protocol", "sampel"), "Did you mean 'sample'"),
        (("--signature", "y709"), "y709"),
        (("--format", "xls"), "unknown format 'xls'"),
        (("--label", "a b"), "--label 'a b'"),
        (("--out", "o.jpg"), ".png, .pdf, .svg"),
        (("--out", "none/o.png"), "none does not exist"),
        (("--out", "Photos"), "Photos"),
    ],
)
def test_wrong_requests_say_what_is_wrong_and_leave_the_old_files(
    words: tuple[str, str], named: str, bench: Callable, small_run: Path, newcomer: Path
) -> None:
    for suffix in ("png", "csv", "tex", "md"):
        (newcomer / f"o.{suffix}").write_text("old")
    out = () if words[0] == "--out" else ("--out", "o.png")
    done = bench("figure", "selfssim", small_run, *out, *words)
    assert (done.code, done.out) == (2, "")
    assert named in done.err
    assert all((newcomer / f"o.{suffix}").read_text() == "old" for suffix in ("png", "csv", "tex", "md"))


def test_a_folder_that_is_no_run_is_refused(bench: Callable, photos: Path) -> None:
    done = bench("figure", "selfssim", photos, "--out", "m.png")
    assert done.code == 2
    assert "not a run folder" in done.err


@pytest.fixture
def small_run(newcomer: Path) -> Path:
    """A run folder written by hand, and a folder `Photos`."""
    (newcomer / "Photos").mkdir()
    folder = newcomer / "run"
    folder.mkdir()
    sign = "selfssim|rgb|ref:column|v1"
    scales = (2, 3, 4)
    lines = ["method,variant,dataset,image,scale,seed,metric,value,unit_status,signature,origin,source,seconds"]
    lines += [f"bicubic,-,P,i,{a},0,selfssim@{b},0.{a}{b},ok,{sign},o,h," for a in scales for b in scales if a != b]
    (folder / "records.csv").write_text("\n".join([*lines, ""]))
    manifest = RunManifest(
        origins={"o": Origin(id="o", code="c", code_name="methods.classic")},
        sets={"s": ImageSet("P", {"i": "h"})},
        cells=tuple(
            CellPlan(
                cell=CellId("bicubic", "", "P", float(scale), 0),
                folder="bicubic",
                pair="p",
                origin="o",
                images="s",
                metrics=("selfssim",),
                crossing={sign: "selfssim"},
            )
            for scale in scales
        ),
        protocols={sign: ("sample",)},
    )
    (folder / "run.json").write_text(manifest.to_json())
    return folder
