"""`bench figure`: the figure and its numbers, the same degradations for every model, and nothing half done."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from bench.api import derive_seed
from bench.figures.kernels.drawing import StudyModel, StudyRow, draw_study
from bench.imaging import read_image
from bench.imaging.degrade import draw_blind_assr
from methods.blind_assr.recovery import STUDY_DEGRADATION

SCALES = ("--scales", "1.2,2")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kernels(bench: Callable, *words: object, out: object = "kernels.png", data: object = "Photos"):
    return bench("figure", "kernels", "blind_assr", "--data", data, "--out", out, *words)


def test_the_figure_and_its_numbers_are_of_the_drawn_degradations(
    bench: Callable, photos: Path, weights: Path, newcomer: Path
) -> None:
    done = kernels(bench, "--weights", weights, "--count", 4, *SCALES)
    assert (done.code, done.err) == (0, "")
    assert "kernels.png and kernels.csv: Blind-ASSR (weights=" in done.out
    assert read_image(newcomer / "kernels.png").pixels.shape[1] == 2100
    rows = read_csv(newcomer / "kernels.csv")
    assert [(row["index"], row["image"], float(row["scale"])) for row in rows] == [
        ("0", "p0", 1.2),
        ("1", "p1", 2),
        ("2", "p2", 1.2),
        ("3", "p0", 2),
    ]
    for index, row in enumerate(rows):
        drawn = draw_blind_assr(derive_seed(0, "kernel-figure", index))
        assert (row["shrinker"], int(row["kernel_size"])) == (drawn.shrinker, drawn.blur.size)
        assert float(row["sigma_1"]) == drawn.blur.sigma_1
        assert (row["target"], row["weights"][:8]) == ("analytic", "weights=")
        assert f"{float(row['reblur_error']):.2f}" in done.out
    assert len(done.out.splitlines()) == 6


def test_every_model_gets_the_same_degradations_and_other_seeds_others(
    bench: Callable, photos: Path, weights: Path, newcomer: Path
) -> None:
    words = ("--count", 2, *SCALES)
    for name, more in (("a", ("--weights", "kl.safetensors")), ("b", ("--weights", "kh.safetensors"))):
        assert kernels(bench, *words, *more, out=f"{name}.png").code == 0
    assert kernels(bench, *words, "--weights", weights, "--seed", 1, out="c.svg").code == 0
    first, second, third = (read_csv(newcomer / f"{name}.csv") for name in "abc")
    same = ("image", "scale", "sigma_1", "sigma_2", "theta", "shrinker", "true_reblur_psnr", "sharp_psnr")
    assert [[row[key] for key in same] for row in first] == [[row[key] for key in same] for row in second]
    assert first[0]["kernel_l1"] != second[0]["kernel_l1"]
    assert first[0]["sigma_1"] != third[0]["sigma_1"]


def test_again_is_the_same_to_the_byte(bench: Callable, photos: Path, weights: Path, newcomer: Path) -> None:
    found = []
    for _ in range(2):
        assert kernels(bench, "--weights", weights, "--count", 1, "--target", "fft_joint_taper").code == 0
        found.append([(newcomer / f"kernels.{suffix}").read_bytes() for suffix in ("png", "csv")])
    assert found[0] == found[1]
    assert read_csv(newcomer / "kernels.csv")[0]["target"] == "fft_joint_taper"


def study(bench: Callable, *words: object, out: object = "study.png"):
    files = ("--kl", "kl.safetensors", "--kh", "kh.safetensors")
    return bench("figure", "kernel-space", "blind_assr", "--data", "Photos", *files, "--out", out, *words)


def test_the_study_has_a_line_per_model_and_scale_and_the_spread_over_scales(
    bench: Callable, photos: Path, weights: Path, newcomer: Path
) -> None:
    done = study(bench, *SCALES, "--limit", 2, "--image", "p1")
    assert (done.code, done.err) == (0, "")
    rows = read_csv(newcomer / "study.csv")
    assert [(row["model"], row["target"], row["scale"]) for row in rows] == [
        (model, target, scale)
        for model, target in (("kl", "analytic"), ("kh", "kh"))
        for scale in ("1.2", "2.0", "mean", "spread")
    ]
    for block in (rows[:4], rows[4:]):
        low, high = sorted(float(row["kernel_l1"]) for row in block[:2])
        assert float(block[2]["kernel_l1"]) == pytest.approx((low + high) / 2)
        assert float(block[3]["kernel_l1"]) == pytest.approx((high - low) / 2)
        assert {row["images"] for row in block} == {"2"}
    assert float(rows[7]["true_spread"]) == pytest.approx(0, abs=1e-9) != float(rows[3]["true_spread"])
    assert read_image(newcomer / "study.png").pixels.shape[1] == 2100
    assert "2 images at 2 scales" in done.out


def test_the_study_shows_the_image_that_it_names(
    bench: Callable, photos: Path, weights: Path, newcomer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = {}

    def look(rows: list[StudyRow], models: list[StudyModel], *, note: str) -> Figure:
        drawn.update(rows=rows, note=note)
        return draw_study(rows, models, note=note)

    monkeypatch.setattr("bench.figures.kernels.drawing.draw_study", look)
    assert study(bench, *SCALES, "--image", "p2").code == 0
    hr = read_image(photos / "p2.png").pixels
    assert drawn["note"].startswith("Shown: p2, of 3 images")
    for row, size in zip(drawn["rows"], ((40, 53), (24, 32)), strict=True):
        assert np.array_equal(row.image, STUDY_DEGRADATION.apply(hr, size))


def test_a_place_that_cannot_be_written_is_found_before_the_work(
    bench: Callable, photos: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("recover", "kernel_space"):
        monkeypatch.setattr(f"methods.blind_assr.recovery.{name}", lambda *_, **__: pytest.fail("worked in vain"))
    assert kernels(bench, "--weights", weights, out="none/a.png").code == 2
    assert study(bench, out="a.jpg").code == 2


def test_a_model_that_was_trained_for_something_else_is_pointed_out(
    bench: Callable, photos: Path, weights: Path, newcomer: Path
) -> None:
    (newcomer / "kh.json").write_text(json.dumps({"config": {"kl_target": "analytic"}}))
    done = study(bench, "--scales", 2, "--limit", 1)
    assert done.code == 0
    assert "kh.safetensors was trained for 'analytic', but is compared with 'kh'" in done.err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("figure", "kernels", "bicubic", "--data", "Photos", "--out", "o.png"), "has no recovery.py"),
        (("figure", "kernels", "liif", "--data", "Photos", "--out", "o.png"), "has no recovery.py"),
        (("figure", "kernels", "blind_asr", "--data", "Photos", "--out", "o.png"), "Did you mean 'blind_assr'"),
        (("kernels", "--scales", "0.5"), "scale 0.5"),
        (("kernels", "--scales", "2,4"), "largest scale for it is 2.28"),
        (("kernels", "--target", "kh"), "expected one of analytic, fft_paper"),
        (("kernels", "--data", "nowhere"), "nowhere"),
        (("kernels", "--data", "::Photos"), "no HR images"),
        (("kernels", "--out", "o.jpg"), ".png, .pdf, .svg"),
        (("kernels", "--out", "none/o.png"), "none does not exist"),
        (("kernels", "--out", "Photos"), "Photos"),
        (("kernels", "--weights", "none.safetensors"), "none.safetensors"),
        (("kernels", "--weights", "Photos/p0.png"), "p0.png"),
        (("kernels", "--count", "0"), "--count"),
        (("study", "--kh", "none.safetensors"), "none.safetensors"),
        (("study", "--image", "p9"), "--image p9"),
        (("study", "--scales", "10"), "largest scale"),
    ],
)
def test_wrong_requests_say_what_is_wrong_and_leave_the_old_files(
    words: tuple[str, ...], named: str, bench: Callable, photos: Path, weights: Path, newcomer: Path
) -> None:
    for suffix in ("png", "csv"):
        (newcomer / f"o.{suffix}").write_text("old")
    command, *more = words
    if command == "kernels":
        done = kernels(bench, "--weights", weights, *more, out="o.png" if "--out" not in more else more[1])
    elif command == "study":
        done = study(bench, *more, out="o.png")
    else:
        done = bench(*words)
    assert (done.code, done.out) == (2, "")
    assert named in done.err
    assert [(newcomer / f"o.{suffix}").read_text() for suffix in ("png", "csv")] == ["old", "old"]
    assert not [path for path in newcomer.rglob("*") if path.suffix in (".part", ".jpg")]


def test_a_damaged_image_ends_it_before_anything_is_written(
    bench: Callable, photos: Path, weights: Path, newcomer: Path
) -> None:
    (photos / "p1.png").write_bytes((photos / "p1.png").read_bytes()[:400])
    done = kernels(bench, "--weights", weights, *SCALES)
    assert done.code == 2
    assert "p1.png" in done.err
    assert not list(newcomer.glob("kernels*"))


def test_help_imports_neither_torch_nor_matplotlib() -> None:
    code = "import sys, bench.cli.app; print({'torch', 'matplotlib', 'cv2', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
