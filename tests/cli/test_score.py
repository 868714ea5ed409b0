"""`bench score`: images made elsewhere, never resized, each pair on its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from bench.imaging import read_image, write_png

WORDS = (
    "score",
    "SR",
    "Photos",
    "--scale",
    2,
    "--protocol",
    "sample",
    "--metrics",
    "psnr",
    "--workers",
    0,
    "--out",
    "run",
)


@pytest.fixture
def outputs(photos: Path, newcomer: Path) -> Path:
    """A folder SR: the photos with noise, as somebody's method left them."""
    folder = newcomer / "SR"
    folder.mkdir()
    for path in sorted(photos.iterdir()):
        pixels = read_image(path).pixels.astype(int)
        noise = np.random.default_rng(len(path.name)).integers(-9, 10, pixels.shape)
        write_png(folder / path.name, np.clip(pixels + noise, 0, 255).astype(np.uint8))
    return folder


def values(run: Path) -> dict[str, str]:
    with (run / "records.csv").open(encoding="utf-8", newline="") as stream:
        return {row["image"]: row["value"] for row in csv.DictReader(stream)}


def test_numbers_are_those_of_the_files(bench: Callable, outputs: Path, photos: Path, newcomer: Path) -> None:
    done = bench(*WORDS)
    assert (done.code, done.err) == (0, "")
    for name, value in values(newcomer / "run").items():
        sr, hr = (read_image(folder / f"{name}.png").pixels for folder in (outputs, photos))
        assert float(value) == pytest.approx(peak_signal_noise_ratio(hr, sr, data_range=255), abs=1e-9)
    assert "Precomputed (folder=" in done.out
    assert not any(line.strip().startswith("SR ") for line in done.out.splitlines())  # no row is called by a folder
    assert json.loads((newcomer / "run" / "run.json").read_text())["request"]["protocol"] == "sample"


def test_a_pair_of_two_sizes_fails_with_both_and_is_not_resized(bench: Callable, outputs: Path, newcomer: Path) -> None:
    write_png(outputs / "p1.png", read_image(outputs / "p1.png").pixels[:40])
    done = bench(*WORDS)
    assert done.code == 1
    assert all(text in done.err for text in ("p1", "40 x 64", "48 x 64"))
    got = values(newcomer / "run")
    assert got["p1"] == ""
    assert got["p0"]
    assert got["p2"]


def test_a_missing_and_an_unreadable_output_fail_alone(bench: Callable, outputs: Path, newcomer: Path) -> None:
    (outputs / "p0.png").unlink()
    (outputs / "p2.png").write_bytes(b"\x89PNG\r\n")
    done = bench(*WORDS)
    assert done.code == 1
    assert "no file for image 'p0'" in done.err
    got = values(newcomer / "run")
    assert (got["p0"], got["p2"]) == ("", "")
    assert got["p1"]


def test_a_gray_output_is_scored_as_three_equal_channels(bench: Callable, outputs: Path, newcomer: Path) -> None:
    path = newcomer / "SR" / "p0.png"
    write_png(path, read_image(path).pixels[..., 1])
    assert bench(*WORDS).code == 0
    sr, hr = (read_image(newcomer / folder / "p0.png").pixels for folder in ("SR", "Photos"))
    sr = np.repeat(sr[..., None], 3, 2)
    value = float(values(newcomer / "run")["p0"])
    assert value == pytest.approx(peak_signal_noise_ratio(hr, sr, data_range=255), abs=1e-9)


def test_colour_against_a_gray_reference_fails_until_told_how(
    bench: Callable, outputs: Path, photos: Path, newcomer: Path
) -> None:
    write_png(photos / "p0.png", read_image(photos / "p0.png").pixels[..., 1])
    done = bench(*WORDS)
    assert done.code == 1
    assert "p0.png is in colour" in done.err
    assert "--set precomputed.luma=true" in done.err
    assert [image for image, value in values(newcomer / "run").items() if not value] == ["p0"]
    assert bench(*WORDS[:-1], "luma", "--set", "precomputed.luma=true").code == 0
    assert float(values(newcomer / "luma")["p0"]) > 0


def test_sixteen_bit_outputs_score_as_their_rounding(bench: Callable, outputs: Path, newcomer: Path) -> None:
    assert bench(*WORDS).code == 0
    before = values(newcomer / "run")
    for path in outputs.iterdir():
        write_png(path, read_image(path).pixels.astype(np.uint16) * 257)
    assert bench(*WORDS[:-1], "deep").code == 0
    assert values(newcomer / "deep") == before


def test_replaced_outputs_are_scored_again(bench: Callable, outputs: Path, photos: Path, newcomer: Path) -> None:
    assert bench(*WORDS).code == 0
    write_png(outputs / "p0.png", read_image(photos / "p0.png").pixels)
    again = bench(*WORDS)
    assert again.code == 0
    assert values(newcomer / "run")["p0"] == "inf"


ALONE = ("score", "SR", "--metrics", "psnr", "--workers", 0, "--out", "run")


def test_images_without_references_need_no_other_word(bench: Callable, outputs: Path, newcomer: Path) -> None:
    done = bench("score", "SR", "--metrics", "pyiqa:entropy", "--workers", 0, "--out", "run")
    assert (done.code, done.err) == (0, "")
    assert all(float(value) > 0 for value in values(newcomer / "run").values())
    assert set(values(newcomer / "run")) == {"p0", "p1", "p2"}


def test_a_metric_that_compares_is_refused_without_references(bench: Callable, outputs: Path, newcomer: Path) -> None:
    done = bench(*ALONE)
    assert done.code == 2
    assert all(text in done.err for text in ("psnr compares with a reference", "bench score SR HR_FOLDER", "niqe"))
    assert not (newcomer / "run").exists()


def test_references_need_a_scale_and_a_protocol_in_words(bench: Callable, outputs: Path, newcomer: Path) -> None:
    done = bench("score", "SR", "Photos", "--protocol", "sample", "--out", "run")
    assert done.code == 2
    assert "--scale must be given" in done.err
    assert "--protocol must be given" in bench("score", "SR", "Photos", "--scale", 2, "--out", "run").err
    assert not (newcomer / "run").exists()


@pytest.mark.parametrize("names", [(), ("a.png", "b.png")])
def test_folders_in_which_nothing_matches_are_refused_before_anything_is_written(
    bench: Callable, photos: Path, newcomer: Path, names: tuple[str, ...]
) -> None:
    """The wrong way is a run folder full of failures, and a table of `0/3`."""
    (newcomer / "SR").mkdir()
    for name in names:
        write_png(newcomer / "SR" / name, read_image(photos / "p0.png").pixels)
    done = bench(*WORDS)
    assert done.code == 2
    assert "no file for any of the 3 images of Photos" in done.err
    assert ("there are no images" if not names else "it holds 2 images: a.png, b.png") in done.err
    assert "precomputed.pattern" in done.err
    assert not (newcomer / "run").exists()


def test_an_empty_reference_folder_is_refused_before_anything_is_written(
    bench: Callable, outputs: Path, newcomer: Path
) -> None:
    (newcomer / "Empty").mkdir()
    done = bench("score", "SR", "Empty", *WORDS[3:])
    assert done.code == 2
    assert "no image in Empty" in done.err
    assert not (newcomer / "run").exists()


def transparent(path: Path, bits: int, opaque: bool) -> None:
    """Rewrite a PNG with an alpha channel, black and wholly transparent in its left half unless it is opaque."""
    pixels = read_image(path).pixels.astype(np.uint16 if bits == 16 else np.uint8) * (257 if bits == 16 else 1)
    alpha = np.full(pixels.shape[:2], 65535 if bits == 16 else 255, pixels.dtype)
    if not opaque:
        alpha[:, : alpha.shape[1] // 2] = 0
    cv2.imwrite(str(path), np.dstack([pixels[..., ::-1], alpha]))


@pytest.mark.parametrize("bits", [8, 16])
def test_an_opaque_alpha_channel_of_sr_is_none(bench: Callable, outputs: Path, newcomer: Path, bits: int) -> None:
    assert bench(*WORDS).code == 0
    before = values(newcomer / "run")
    transparent(outputs / "p1.png", bits, opaque=True)
    done = bench(*WORDS[:-1], "again")
    assert (done.code, done.err) == (0, "")
    assert values(newcomer / "again") == before


@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_reaches_sr_and_is_refused_by_name_without_a_word(
    bench: Callable, outputs: Path, newcomer: Path, bits: int
) -> None:
    transparent(outputs / "p1.png", bits, opaque=False)
    refused = bench(*WORDS)
    assert refused.code == 1
    assert "50.0% of the pixels not opaque" in refused.err
    done = bench(*WORDS[:-1], "white", "--alpha", "white")
    assert (done.code, done.err) == (0, "")
    sr, hr = (read_image(newcomer / folder / "p1.png", alpha="white").pixels for folder in ("SR", "Photos"))
    assert sr[:, 0].min() == 255
    value = float(values(newcomer / "white")["p1"])
    assert value == pytest.approx(peak_signal_noise_ratio(hr, sr, data_range=255), abs=1e-9)


def test_a_jpeg_of_too_many_pixels_is_called_so_not_truncated(
    bench: Callable, outputs: Path, newcomer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = read_image(outputs / "p1.png").pixels
    (outputs / "p1.png").unlink()
    Image.fromarray(pixels).save(outputs / "p1.jpg", quality=95)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    done = bench(*WORDS)
    assert done.code == 1
    assert "p1.jpg: expected an image that Pillow decodes, of up to 200 pixels, got a larger one" in done.err
    assert "save it as an 8-bit PNG" in done.err
    assert "truncated" not in done.err


def test_scoring_imports_no_torch(outputs: Path, newcomer: Path) -> None:
    """Importing it would cost more than scoring twenty images."""
    program = "import sys; sys.modules['torch'] = None\nfrom bench.cli.app import main\nsys.argv[0] = 'bench'\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, WORDS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(values(newcomer / "run").values())


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_result_that_cannot_be_read_is_a_failed_image(
    bench: Callable, outputs: Path, photos: Path, newcomer: Path, kind: str
) -> None:
    """Catches a traceback while results are hashed, a run that waits for a pipe, and a mean over the others."""
    spoilt = outputs / "p1.png"
    spoilt.unlink()
    if kind == "link":
        spoilt.symlink_to("nowhere.png")
    else:
        os.mkfifo(spoilt)
    done = bench(*WORDS)
    assert done.code == 1
    assert "p1.png" in done.err
    assert "cannot be read" in done.err
    assert {name: bool(value) for name, value in values(newcomer / "run").items()} == {
        "p0": True,
        "p1": False,
        "p2": True,
    }
    assert "2/3" in done.out
