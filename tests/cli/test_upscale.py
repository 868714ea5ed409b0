"""`bench upscale`: one image to a scale or to an exact size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.imaging import read_image, write_png

STAGED = """
import torch
from bench.api import Method, MethodInfo, Upscaled
class Staged(Method):
    info = MethodInfo(name="staged", display="Staged", summary="two stages")
    def upscale(self, lr, size, *, seed):
        grow = lambda h, w: torch.nn.functional.interpolate(lr[None], (h, w))[0]
        return Upscaled(grow(*size), (lr, grow(60, 70)))
"""


@pytest.mark.parametrize(
    ("words", "size"),
    [(("--scale", "2"), (96, 128)), (("--scale", "2.3"), (110, 147)), (("--size", "100x77"), (77, 100))],
)
def test_the_result_has_the_size_that_was_asked_for(
    words: tuple[str, ...], size: tuple[int, int], bench: Callable, photos: Path, newcomer: Path
) -> None:
    done = bench("upscale", "bicubic", "Photos/p0.png", "out.png", *words)
    assert (done.code, done.err) == (0, "")
    assert f"out.png: {size[1]}x{size[0]} by Bicubic" in done.out
    assert read_image(newcomer / "out.png").pixels.shape == (*size, 3)


def test_gray_comes_back_and_liif_runs_with_its_own_weights(bench: Callable, photos: Path, newcomer: Path) -> None:
    write_png(photos / "gray.png", read_image(photos / "p0.png").pixels[:20, :24, 0])
    done = bench("upscale", "liif", "Photos/gray.png", "out.png", "--scale", "1.5", "--device", "cpu")
    assert done.code == 0
    assert "LIIF (lite)" in done.out
    assert read_image(newcomer / "out.png").pixels.shape[:2] == (30, 36)


def test_stages_are_written_in_order_and_their_absence_is_said(bench: Callable, photos: Path, newcomer: Path) -> None:
    (newcomer / "staged.py").write_text(STAGED)
    words = ("Photos/p0.png", "out.png", "--scale", 2, "--stages", "stages")
    done = bench("upscale", "staged", *words, "--plugin", "staged.py")
    assert (done.code, done.err) == (0, "")
    shapes = [read_image(path).pixels.shape[:2] for path in sorted((newcomer / "stages").iterdir())]
    assert shapes == [(48, 64), (60, 70)]
    assert "no stages" in bench("upscale", "bicubic", *words).out


@pytest.mark.parametrize("kind", ["zero", "half", "alpha"])
def test_a_bad_image_is_refused_and_an_old_result_stays(
    kind: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    import numpy as np
    from PIL import Image

    whole = (photos / "p0.png").read_bytes()
    bad = photos / "bad.png"
    if kind == "alpha":
        Image.fromarray(np.zeros((20, 20, 4), np.uint8)).save(bad)
    else:
        bad.write_bytes(b"" if kind == "zero" else whole[: len(whole) // 2])
    (newcomer / "out.png").write_bytes(whole)
    done = bench("upscale", "bicubic", bad, "out.png", "--scale", 2)
    assert done.code == 2
    assert "bad.png" in done.err
    assert (newcomer / "out.png").read_bytes() == whole


def test_places_that_cannot_be_written_are_named(bench: Callable, photos: Path) -> None:
    done = bench("upscale", "bicubic", "Photos/p0.png", "/proc/out.png", "--scale", 2)
    assert (done.code, done.out) == (2, "")
    assert "/proc/out.png" in done.err
    done = bench("upscale", "bicubic", "Photos/p0.png", "out.png", "--scale", 2, "--stages", "Photos/p0.png")
    assert done.code == 2
    assert "--stages" in done.err


@pytest.mark.parametrize("words", [("--scale", "99999999"), ("--size", "99999999x9"), ("--size", "99999x99999")])
def test_a_result_that_no_image_can_be_is_refused(words: tuple[str, ...], bench: Callable, photos: Path) -> None:
    """Catches numpy's "array is too big" and "Unable to allocate 107. PiB" in the method's name."""
    done = bench("upscale", "bicubic", "Photos/p0.png", "out.png", *words)
    assert (done.code, done.out) == (2, "")
    assert "choose a smaller scale or size" in done.err


def test_the_scale_of_one_image_is_refused_under_its_own_option(bench: Callable, photos: Path) -> None:
    """Catches "--scales 0.5", an option that this command does not have."""
    done = bench("upscale", "bicubic", "Photos/p0.png", "out.png", "--scale", "0.5")
    assert done.code == 2
    assert done.err.startswith("error: --scale 0.5: scale 0.5 cannot be used")


def test_no_command_writes_over_the_files_of_a_run(bench: Callable, photos: Path, newcomer: Path) -> None:
    """Catches `bench table RUN --out RUN/run.json`, after which nothing reads the run any more."""
    words = ("--datasets", photos, "--metrics", "psnr", "--limit", 1, "--workers", 0, "--out", "run")
    assert bench("run", "--methods", "bicubic,lanczos", "--scales", 2, *words).code == 0
    before = {path: path.read_bytes() for path in (newcomer / "run").rglob("*") if path.is_file()}
    image = "run/images/bicubic/Photos/x2-s0/p0.png"
    for typed in (
        ("table", "run", "--out", "run/run.json"),
        ("table", "run", "--out", "run/records/bicubic/Photos/x2-s0.jsonl"),
        ("compare", "run", "bicubic", "lanczos", "--out", "run/records.csv"),
        ("upscale", "bicubic", image, image, "--scale", 1),
    ):
        done = bench(*typed)
        assert (done.code, done.out) == (2, ""), typed
        assert "is a file of the run in" in done.err
    assert {path: path.read_bytes() for path in before} == before
    assert bench("table", "run", "--out", "run/table.md", "--format", "md").code == 0
