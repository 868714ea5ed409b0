"""`bench import`: folders of published SR images, read by the rules of the layouts that people publish."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from bench.imaging import read_image, write_png

WORDS = ("--protocol", "sample", "--metrics", "psnr", "--workers", 0, "--out", "run")
IMAGES = ("p0", "p1", "p2")


def lay(
    photos: Path,
    root: Path,
    name: str,
    scale: float | tuple[float, float],
    noise: int,
    images: tuple[str, ...] = IMAGES,
) -> None:
    """Somebody's images under a name with IMAGE in it, each with noise of its own."""
    for image in images:
        pixels = read_image(photos / f"{image}.png").pixels.astype(int)
        both = scale if isinstance(scale, tuple) else (scale, scale)
        size = [int(np.floor(side / factor + 1e-9) * factor) for side, factor in zip(pixels.shape, both, strict=False)]
        pixels = pixels[: size[0], : size[1]]
        changed = pixels + np.random.default_rng(noise).integers(-noise, noise + 1, pixels.shape)
        path = root / name.replace("IMAGE", image)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, np.clip(changed, 0, 255).astype(np.uint8))


def values(run: Path) -> dict[tuple[str, str, str], str]:
    """(row, scale, image) -> PSNR."""
    with (run / "records.csv").open(encoding="utf-8", newline="") as stream:
        return {(row["variant"], row["scale"], row["image"]): row["value"] for row in csv.DictReader(stream)}


def true_psnr(photos: Path, path: Path, image: str) -> float:
    sr, hr = read_image(path).pixels, read_image(photos / f"{image}.png").pixels
    return peak_signal_noise_ratio(hr[: sr.shape[0], : sr.shape[1]], sr, data_range=255)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("liif/edsr_xSCALE/IMAGExSCALE.png", "liif-edsr"),
        ("HAT/HAT-S_SRxSCALE/IMAGE_HAT.png", "HAT-S"),
        ("GRL/base/XSCALE/IMAGE.png", "GRL-base"),
        ("Bicubic/Bicubic_xSCALE/IMAGE.png", "Bicubic"),
        ("SWIN/xSCALE/IMAGE_SWIN.png", "SWIN"),
        ("IMAGE_GSASR_paper_SWIN_SCALE.0.png", "GSASR_paper_SWIN"),
        ("lerf-l/XSCALE.00_SCALE.00/Photos/IMAGE_LUTft.png", "lerf-l"),
        ("lerf/rrLR_XSCALE.00_SCALE.00/IMAGE_LUTft.png", "lerf"),
        ("meta/results/IMAGE_xSCALE.0_SR.png", "meta-results"),
        ("ours/xSCALE/IMAGE.png", "ours"),
        ("{odd}/xSCALE/IMAGE.png", "odd"),
    ],
)
def test_each_published_layout_gives_the_numbers_of_its_files(
    bench: Callable, photos: Path, newcomer: Path, name: str, row: str
) -> None:
    """Catches a rule that takes one scale's file, or another image's, for another, and a row under a wrong name."""
    for scale in (2, 3):
        lay(photos, newcomer / "published", name.replace("SCALE", str(scale)), scale, noise=4 * scale)
    done = bench("import", "published", "Photos", *WORDS)
    assert (done.code, done.err) == (0, ""), done.err
    assert f"{row}: " in done.out
    assert "x2 3/3, x3 3/3 images" in done.out
    got = values(newcomer / "run")
    assert len(got) == 6
    for (variant, scale, image), value in got.items():
        path = newcomer / "published" / name.replace("SCALE", scale).replace("IMAGE", image)
        assert variant == row
        assert float(value) == pytest.approx(true_psnr(photos, path, image), abs=1e-9)


def test_rows_with_other_scales_stand_in_one_run_folder(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches a second row that replaces the first, and scales that a row lacks counted as failures."""
    lay(photos, newcomer / "sr_results", "liif/edsr_x2/IMAGE.png", 2, 3)
    lay(photos, newcomer / "sr_results", "liif/edsr_x3/IMAGE.png", 3, 5)
    lay(photos, newcomer / "sr_results", "HDSRNet/X2/IMAGE.png", 2, 7)
    lay(photos, newcomer / "sr_results", "hr/IMAGE.png", 1, 0)
    done = bench("import", "sr_results", "sr_results/hr", *WORDS)
    assert (done.code, done.err) == (0, ""), done.err
    assert "not used, a reference: 3 files (hr/p0.png, hr/p1.png, hr/p2.png)" in done.out
    rows = {(row, scale) for row, scale, _ in values(newcomer / "run")}
    assert rows == {("HDSRNet", "2"), ("liif-edsr", "2"), ("liif-edsr", "3")}
    table = bench("table", "run")
    assert table.code == 0
    assert "HDSRNet" in table.out
    assert "liif-edsr" in table.out


def test_inputs_and_references_of_lerf_are_named_and_not_scored(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches `_gt` taken for a result, which would score infinite."""
    for kind, noise in (("LUTft", 9), ("gt", 0), ("lr", 1)):
        lay(photos, newcomer / "results", f"lerf-l/X2.00_2.00/Photos/IMAGE_{kind}.png", 2, noise)
    lay(photos, newcomer / "results", "lerf-l/X2.00_2.00/Set14/IMAGE_LUTft.png", 2, 9)
    (newcomer / "results/lerf-l/X2.00_2.00/Photos/p0_LUTft_hyper.npy").write_bytes(b"")
    done = bench("import", "results", "Photos", *WORDS)
    assert (done.code, done.err) == (0, "")
    assert "an input or a reference (_lr, _hr, _gt): 6 files" in done.out
    assert "not called after the set 'Photos': 3 files" in done.out
    assert "not an image: 1 file (lerf-l/X2.00_2.00/Photos/p0_LUTft_hyper.npy)" in done.out
    got = values(newcomer / "run")
    assert {scale for _, scale, _ in got} == {"2"}
    assert len(got) == 3


@pytest.mark.parametrize(
    "name",
    [
        "lerf-l/XHEIGHT.00_WIDTH.00/Photos/IMAGE_LUTft.png",
        "lerf/rrLR_XHEIGHT.00_WIDTH.00/IMAGE_LUTft.png",
        "ours/xHEIGHTxWIDTH/IMAGE.png",
        "HAT/HAT-S_SRxHEIGHTxWIDTH/IMAGE.png",
        "IMAGE_xHEIGHTxWIDTH_ours.png",
    ],
)
def test_folders_of_a_factor_per_axis_are_rows_of_pairs(
    bench: Callable, photos: Path, newcomer: Path, name: str
) -> None:
    """Catches width x height, a pair read as one of its factors, and a file of another pair taken for this one."""
    pairs = {(2, 3): 4, (3, 2): 8}
    for (height, width), noise in pairs.items():
        place = name.replace("HEIGHT", str(height)).replace("WIDTH", str(width))
        lay(photos, newcomer / "published", place, (height, width), noise)
    done = bench("import", "published", "Photos", *WORDS)
    assert (done.code, done.err) == (0, ""), done.err
    assert "x2x3 3/3, x3x2 3/3 images" in done.out
    got = values(newcomer / "run")
    assert {scale for _, scale, _ in got} == {"2x3", "3x2"}
    assert len(got) == 6
    for (_, scale, image), value in got.items():
        height, width = scale.split("x")
        path = name.replace("HEIGHT", height).replace("WIDTH", width).replace("IMAGE", image)
        assert float(value) == pytest.approx(true_psnr(photos, newcomer / "published" / path, image), abs=1e-9)
    assert all(float(value) < 60 for value in got.values())


@pytest.mark.parametrize(
    ("names", "both"),
    [
        (["liif/edsr_x4/IMAGE_x2.png"], ["'METHOD/VARIANT_x{scale}/' (edsr_x4) says x4", "'{image}_x{scale}'", "x2"]),
        (["a/x2/b_x4/IMAGE.png"], ["'x{scale}/' (x2) says x2", "'METHOD/VARIANT_x{scale}/' (b_x4) says x4"]),
        (["IMAGE_x4_GSASR_2.0.png"], ["'{image}_x{scale}'", "'{image}_MODEL_{scale}'"]),
        (["m/x2/IMAGE.png", "m/x2/IMAGE_m.png"], ["m/x{scale}/{image}.png", "m/x{scale}/{image}_m.png"]),
        (["HAT/HAT_x2/IMAGE.png", "HAT/x2/IMAGE.png"], ["HAT/HAT_x{scale}/{image}.png", "HAT/x{scale}/{image}.png"]),
    ],
)
def test_what_two_rules_could_mean_is_refused_with_both(
    bench: Callable, photos: Path, newcomer: Path, names: list[str], both: list[str]
) -> None:
    for name in names:
        lay(photos, newcomer / "sr", name, 2, 3)
    done = bench("import", "sr", "Photos", *WORDS)
    assert done.code == 2
    assert all(part in done.err for part in both), done.err
    assert not (newcomer / "run").exists()


def test_a_file_of_two_images_is_refused_with_both(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches the longest name winning: HAT/x2/p0_HAT.png is p0 by GSASR's rule, p0_HAT by ours."""
    lay(photos, newcomer / "sr", "HAT/x2/IMAGE_HAT.png", 2, 3)
    write_png(photos / "p0_HAT.png", read_image(photos / "p0.png").pixels)
    done = bench("import", "sr", "Photos", *WORDS)
    assert done.code == 2
    assert "for image 'p0'" in done.err
    assert "for image 'p0_HAT'" in done.err


def test_an_image_that_is_missing_fails_and_leaves_no_mean(bench: Callable, photos: Path, newcomer: Path) -> None:
    lay(photos, newcomer / "sr", "m/x2/IMAGE.png", 2, 3, IMAGES[:2])
    done = bench("import", "sr", "Photos", *WORDS)
    assert done.code == 1
    assert "x2 2/3 images" in done.out
    assert values(newcomer / "run")["m", "2", "p2"] == ""


def test_a_plain_folder_needs_its_scale(bench: Callable, photos: Path, newcomer: Path) -> None:
    lay(photos, newcomer / "mine", "IMAGE.png", 2, 3)
    done = bench("import", "mine", "Photos", *WORDS)
    assert done.code == 2
    assert "--scale says which" in done.err
    assert bench("import", "mine", "Photos", "--scale", 2, *WORDS).code == 0
    assert {row for row, _, _ in values(newcomer / "run")} == {"mine"}


def test_only_the_rows_and_scales_that_are_asked_for(bench: Callable, photos: Path, newcomer: Path) -> None:
    for method in "ab":
        for scale in (2, 3):
            lay(photos, newcomer / "sr", f"{method}/x{scale}/IMAGE.png", scale, 3)
    done = bench("import", "sr", "Photos", "--rows", "b", "--scales", "3", *WORDS)
    assert done.code == 0
    assert "of rows that were not asked for: a" in done.out
    assert {key[:2] for key in values(newcomer / "run")} == {("b", "3")}
    done = bench("import", "sr", "Photos", "--rows", "c", *WORDS)
    assert (done.code, "a, b" in done.err) == (2, True)


def test_a_dry_run_says_how_it_reads_and_writes_nothing(bench: Callable, photos: Path, newcomer: Path) -> None:
    lay(photos, newcomer / "sr", "a/x2/IMAGE.png", 2, 3)
    done = bench("import", "sr", "Photos", "--dry-run", *WORDS)
    assert (done.code, done.err) == (0, "")
    assert "a: a/x{scale}/{image}.png, read by 'x{scale}/{image}': x2 3/3 images" in done.out
    assert not (newcomer / "run").exists()


def test_the_request_is_one_of_run(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches a scorer of its own: what run.json says gives the same numbers by `bench run`."""
    lay(photos, newcomer / "sr", "IMAGE_GSASR_EDSR_2.0.png", 2, 3)
    assert bench("import", "sr", "Photos", *WORDS).code == 0
    request = json.loads((newcomer / "run/run.json").read_text())["request"]
    assert request["methods"] == ["GSASR_EDSR=precomputed"]
    assert bench("run", "--config", "run/run.json", "--out", "again").code == 0
    assert values(newcomer / "again") == values(newcomer / "run")


def test_images_off_by_one_pixel_need_a_word(bench: Callable, photos: Path, newcomer: Path) -> None:
    lay(photos, newcomer / "sr", "a/x2/IMAGE.png", 2, 3)
    odd = newcomer / "sr/a/x2/p0.png"
    write_png(odd, cv2.copyMakeBorder(read_image(odd).pixels, 0, 1, 0, 0, cv2.BORDER_REPLICATE))
    assert bench("import", "sr", "Photos", *WORDS).code == 1
    assert bench("import", "sr", "Photos", "--sr-size", "within-1", *WORDS[:-1], "near").code == 0
