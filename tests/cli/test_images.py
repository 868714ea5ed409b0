"""Difficult images in a dataset: each is taken as it should be or fails alone, with a reason; the others go on."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.imaging import read_image, write_png
from tests.cli.conftest import untimed

BICUBIC = ("run", "--methods", "bicubic", "--metrics", "psnr", "--workers", 0, "--out", "run")


def records(run: Path) -> list[dict[str, str]]:
    with (run / "records.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def values(run: Path) -> dict[tuple[str, str], str]:
    """(image, scale) -> value, empty where there is none."""
    return {(row["image"], row["scale"]): row["value"] for row in records(run)}


@pytest.fixture
def difficult(photos: Path) -> Path:
    """The photos, and beside them what the internet has on offer."""
    rgb = read_image(photos / "p0.png").pixels
    whole = (photos / "p0.png").read_bytes()
    (photos / "zero.png").write_bytes(b"")
    (photos / "half.png").write_bytes(whole[: len(whole) // 2])
    (photos / "page.jpg").write_text("<html>404 not found</html>", encoding="utf-8")
    Image.fromarray(rgb).convert("CMYK").save(photos / "cmyk.jpg")
    frames = [Image.fromarray(rgb), Image.fromarray(rgb[::-1].copy())]
    frames[0].save(photos / "moving.webp", save_all=True, append_images=frames[1:], duration=90)
    Image.fromarray(np.dstack([rgb, np.full(rgb.shape[:2], 99, np.uint8)])).save(photos / "alpha.png")
    Image.fromarray(rgb[..., 0]).save(photos / "gray.png")
    write_png(photos / "deep.png", rgb.astype(np.uint16) * 257)
    Image.fromarray(rgb).quantize(16).save(photos / "palette.png")
    return photos


def test_bad_images_fail_alone_with_their_reasons_and_good_ones_are_scored(
    bench: Callable, difficult: Path, newcomer: Path
) -> None:
    done = bench(*BICUBIC, "--datasets", difficult, "--scales", 2)
    assert done.code == 1
    reasons = {
        "zero": "zero bytes",
        "half": "truncated",
        "page": "none of them",
        "cmyk": "CMYK",
        "moving": "animated",
        "alpha": "alpha",
    }
    for name, reason in reasons.items():
        line = next(line for line in done.err.splitlines() if f"· {name}:" in line)
        assert reason in line.partition(f"· {name}:")[2], line
    got = values(newcomer / "run")
    assert {image for (image, _), value in got.items() if not value} == set(reasons)
    assert {image for (image, _), value in got.items() if value} == {"p0", "p1", "p2", "gray", "deep", "palette"}
    assert got["deep", "2"] == got["p0", "2"]
    assert "6/12" in done.out
    assert not list((newcomer / "run").rglob("*.part"))


def test_mended_images_are_all_that_is_computed_again(bench: Callable, photos: Path) -> None:
    whole = (photos / "p1.png").read_bytes()
    (photos / "p1.png").write_bytes(whole[:200])
    assert bench(*BICUBIC, "--datasets", photos, "--scales", 2).code == 1
    (photos / "p1.png").write_bytes(whole)
    done = bench(*BICUBIC, "--datasets", photos, "--scales", 2)
    assert done.code == 0
    assert "computed 1 image (2 were there)" in done.out


def test_a_failed_image_is_not_taken_for_done_on_the_next_run(bench: Callable, photos: Path, newcomer: Path) -> None:
    (photos / "p1.png").write_bytes(b"")
    first = bench(*BICUBIC, "--datasets", photos, "--scales", 2)
    table = untimed(newcomer / "run" / "records.csv")
    second = bench(*BICUBIC, "--datasets", photos, "--scales", 2)
    assert (first.code, second.code) == (1, 1)
    assert "computed 0 images (2 were there)" in second.out
    assert untimed(newcomer / "run" / "records.csv") == table


def test_alpha_is_refused_unless_the_user_names_the_background(bench: Callable, newcomer: Path) -> None:
    rgb = np.full((32, 40, 3), 50, np.uint8)
    alpha = np.zeros((32, 40, 1), np.uint8)
    for folder in ("SR", "HR"):
        (newcomer / folder).mkdir()
    Image.fromarray(np.dstack([rgb, alpha])).save(newcomer / "HR" / "a.png")
    Image.fromarray(np.full_like(rgb, 255)).save(newcomer / "SR" / "a.png")
    words = ("score", "SR", "HR", "--scale", 1, "--metrics", "psnr", "--workers", 0, "--protocol", "pyiqa-default")
    assert bench(*words, "--alpha", "white", "--out", "run").code == 0
    assert values(newcomer / "run") == {("a", "1"): "inf"}
    assert bench(*words, "--alpha", "pink").code == 2
    refused = bench(*words, "--out", "other")
    assert refused.code == 1
    assert "alpha" in refused.err


def test_a_scale_that_leaves_no_lr_fails_and_the_other_scales_go_on(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    done = bench(*BICUBIC, "--datasets", photos, "--scales", "2,60")
    assert done.code == 1
    assert "x60 leaves no LR image" in done.err
    assert "the largest scale for it is 48" in done.err
    got = values(newcomer / "run")
    assert all(bool(value) == (scale == "2") for (_, scale), value in got.items())
    assert len(got) == 6


def test_spaces_and_unicode_in_names_reach_every_export(bench: Callable, newcomer: Path) -> None:
    folder = newcomer / "Фото & co_1 50%"
    folder.mkdir()
    names = ["a b", "ünïcødé", "写真 №1", "it's #1 (copy), 100%"]
    from_files = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for name in names:
        write_png(folder / f"{name}.png", from_files)
    words = (*BICUBIC, "--datasets", "Фото & co_1 50%", "--scales", 2)
    done = bench(*words)
    assert done.code == 0
    assert {image for image, _ in values(newcomer / "run")} == set(names)
    images = newcomer / "run" / "images" / "bicubic" / folder.name / "x2-s0"
    assert {path.stem for path in images.iterdir()} == set(names)
    assert r" \& co\_1 50\%" in (newcomer / "run" / "table.tex").read_text(encoding="utf-8")
    assert "no inference was needed" in bench(*words).out


def test_a_name_that_is_not_utf8_is_refused_before_anything_is_made(
    bench: Callable, photos: Path, newcomer: Path
) -> None:
    (photos / "p0.png").rename(photos / "caf\udce9.png")
    done = bench(*BICUBIC, "--datasets", photos, "--scales", 2)
    assert done.code == 2
    assert "rename the file" in done.err
    assert not (newcomer / "run").exists()
