"""`bench score`: images made elsewhere, never resized, each pair on its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
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
