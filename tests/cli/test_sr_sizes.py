"""Images made elsewhere that are one pixel off: refused, or cut by a rule that stands in the signature."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from bench.imaging import read_image, write_png

SIZES = {"p0": (48, 64), "p1": (49, 63), "p2": (47, 65)}
"""Of the SR images; HR is 48 x 64."""


@pytest.fixture
def outputs(photos: Path, newcomer: Path) -> Path:
    """A folder SR with noisy copies of the photos, two of them a pixel larger or smaller per side."""
    folder = newcomer / "SR"
    folder.mkdir()
    for name, size in SIZES.items():
        hr = read_image(photos / f"{name}.png").pixels.astype(int)
        larger = np.pad(hr, ((0, 1), (0, 1), (0, 0)), mode="edge")[: size[0], : size[1]]
        noise = np.random.default_rng(len(name)).integers(-9, 10, larger.shape)
        write_png(folder / f"{name}.png", np.clip(larger + noise, 0, 255).astype(np.uint8))
    return folder


def score(bench: Callable, *words: object) -> tuple[object, dict[str, str], set[str]]:
    """(how it ended, image -> PSNR, the signatures)."""
    base = ("score", "SR", "Photos", "--scale", 2, "--protocol", "sample", "--metrics", "psnr", "--workers", 0)
    done = bench(*base, "--out", "run", *words)
    with Path("run/records.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return done, {row["image"]: row["value"] for row in rows if row["value"]}, {row["signature"] for row in rows}


def test_a_pixel_too_many_or_too_few_is_cut_only_where_the_signature_says_so(bench: Callable, outputs: Path) -> None:
    """Catches a crop that nobody asked for, one that no signature tells of, and a crop at another edge."""
    done, numbers, _ = score(bench)
    assert done.code == 1
    assert set(numbers) == {"p0"}
    assert "49 x 63 (height x width), expected 48 x 64" in done.err
    assert "--sr-size within-1 allows for one pixel" in done.err

    done, numbers, signatures = score(bench, "--sr-size", "within-1")
    assert (done.code, set(numbers)) == (0, set(SIZES))
    assert all("|sr-size:within-1|" in signature for signature in signatures)
    for name, value in numbers.items():
        sr, hr = (read_image(Path(folder, f"{name}.png")).pixels for folder in ("SR", "Photos"))
        height, width = (min(a, b) for a, b in zip(sr.shape[:2], hr.shape[:2], strict=True))
        expected = peak_signal_noise_ratio(hr[:height, :width], sr[:height, :width], data_range=255)
        assert float(value) == pytest.approx(expected, abs=1e-9)


def test_what_was_cut_is_no_image_of_the_exact_protocol(bench: Callable, outputs: Path) -> None:
    """Catches a key without the rule: the cut image would pass for one of the right size in the same run folder."""
    score(bench, "--sr-size", "within-1")
    done, numbers, _ = score(bench)
    assert done.code == 1
    assert set(numbers) == {"p0"}
    done, numbers, _ = score(bench, "--sr-size", "within-1")
    assert (done.code, set(numbers)) == (0, set(SIZES))


def test_two_pixels_are_refused_all_the_same(bench: Callable, outputs: Path) -> None:
    write_png(outputs / "p0.png", np.zeros((50, 64, 3), np.uint8))
    done, numbers, _ = score(bench, "--sr-size", "within-1")
    assert done.code == 1
    assert set(numbers) == {"p1", "p2"}
    assert "50 x 64 (height x width), expected 48 x 64" in done.err


def test_methods_of_ones_own_have_no_such_freedom(bench: Callable, photos: Path) -> None:
    """Catches a tolerance for methods that were told the size."""
    Path("off.py").write_text(
        "import torch\nfrom bench.api import Method, MethodInfo, Upscaled\n"
        "class Off(Method):\n    info = MethodInfo(name='off', display='Off', summary='one pixel more')\n"
        "    def upscale(self, lr, size, *, seed):\n        return Upscaled(torch.zeros(3, size[0] + 1, size[1]))\n"
    )
    words = ("--datasets", "Photos", "--scales", 2, "--metrics", "psnr", "--workers", 0, "--sr-size", "within-1")
    done = bench("run", "--plugin", "off.py", "--methods", "off", *words)
    assert done.code == 1
    assert "returned shape (3, 49, 64)" in done.err


def test_the_lut_protocol_scores_ceil_sized_images_against_what_hr_has(bench: Callable, newcomer: Path) -> None:
    """Catches LeRF's rule carried out as floor-crop: HR of 47 x 63 would lose a row and a column."""
    (newcomer / "Odd").mkdir()
    hr = np.random.default_rng(1).integers(0, 256, (47, 63, 3), dtype=np.uint8)
    write_png(newcomer / "Odd" / "a.png", hr)
    words = ("--datasets", "Odd", "--scales", 2, "--metrics", "psnr,ssim", "--protocol", "lut-y", "--workers", 0)
    done = bench("run", "--methods", "bicubic", *words, "--out", "run")
    assert done.code == 0, done.err
    assert read_image(newcomer / "run/images/bicubic/Odd/x2-s0/a.png").pixels.shape == hr.shape
    with Path("run/records.csv").open(encoding="utf-8", newline="") as stream:
        signed = {row["metric"]: row["signature"] for row in csv.DictReader(stream)}
    assert "shave:floor-s" in signed["psnr"]
    assert "shave:0" in signed["ssim"]
    assert all("size:ceil" in signature for signature in signed.values())
