"""What can be refused is refused before the network and before any work; exit codes; words that fit their number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.metrics import download

WORDS = ("run", "--methods", "bicubic", "--scales", "2", "--metrics", "psnr,niqe", "--out", "run", "--workers", 0)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was tried to be fetched; nothing is."""
    tried: list[object] = []
    monkeypatch.setattr(download, "fetch_missing", lambda files, root, announce: tried.append(files))
    return tried


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--datasets", "Set14"), "Set14 is not on this machine"),
        (("--datasets", "nowhere"), "nowhere"),
        (("--datasets", "Photos", "--device", "cuda"), "torch sees no CUDA device"),
        (("--datasets", "Photos", "--device", "gpu"), "device 'gpu' is unknown"),
        (("--datasets", "Photos", "--executor", "none"), "--executor none"),
    ],
)
def test_a_wrong_request_is_refused_before_the_network_is_asked(
    words: tuple[str, ...], said: str, bench: Callable, photos: Path, newcomer: Path, fetched: list[object]
) -> None:
    """Catches minutes of tried downloads of metric files before "this set is not here"."""
    import torch

    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = bench(*WORDS, *words)
    assert (done.code, fetched) == (2, [])
    assert said in done.err
    assert not (newcomer / "run" / "records").exists()


def test_a_folder_that_is_no_run_is_refused_before_the_network_is_asked(
    bench: Callable, photos: Path, newcomer: Path, fetched: list[object]
) -> None:
    """Catches downloads for a run whose folder cannot be used."""
    (newcomer / "run").mkdir()
    (newcomer / "run" / "run.json").write_text("{", encoding="utf-8")
    assert (bench(*WORDS, "--datasets", "Photos").code, fetched) == (2, [])


def test_a_right_request_asks_the_network_once(bench: Callable, photos: Path, fetched: list[object]) -> None:
    """Catches an order in which metric files are never fetched."""
    assert bench(*WORDS, "--datasets", "Photos").code == 1
    assert len(fetched) == 1


def test_what_is_stored_needs_no_device(bench: Callable, photos: Path) -> None:
    """Catches a finished run of a GPU machine that cannot be tabulated elsewhere."""
    words = ("run", "--methods", "bicubic", "--scales", "2", "--metrics", "psnr", "--out", "run", "--workers", 0)
    assert bench(*words, "--datasets", "Photos").code == 0
    assert bench(*words, "--datasets", "Photos", "--device", "cuda").code == 0


def test_a_typed_metric_without_any_value_ends_with_1(bench: Callable, photos: Path, fetched: list[object]) -> None:
    """Catches exit code 0 for `--metrics niqe` without its file; the other numbers are there."""
    done = bench(*WORDS, "--datasets", "Photos")
    assert done.code == 1
    assert done.err.count("not available: niqe") == 1
    assert "PSNR" in done.out


def test_a_metric_that_nobody_typed_does_not_decide_the_exit_code(
    bench: Callable, photos: Path, fetched: list[object]
) -> None:
    """Catches a first run without a network that ends with 1 because of the default metrics."""
    words = ("run", "--methods", "bicubic", "--scales", "2", "--datasets", "Photos", "--out", "run", "--workers", 0)
    done = bench(*words)
    assert done.code == 0
    assert "not available: niqe" in done.err


def test_a_metric_that_does_not_apply_is_named(bench: Callable, photos: Path) -> None:
    """Catches exit code 0, without a word, for a cross-scale metric of a single scale."""
    done = bench("run", "--methods", "bicubic", "--scales", "2", "--datasets", "Photos", "--metrics", "psnr,selfssim",
                 "--out", "run", "--workers", 0)  # fmt: skip
    assert done.code == 1
    assert "selfssim" in done.err


def test_one_is_singular(bench: Callable, photos: Path) -> None:
    """Catches "1 cells", "1 images", "1 numbers"."""
    words = ("run", "--methods", "bicubic", "--scales", "2", "--datasets", "Photos", "--metrics", "psnr", "--limit", 1)
    plan = bench(*words, "--dry-run")
    assert "1 image, 1 to compute, 1 number to make" in plan.out
    assert "1 cell (x2;" in plan.out
    first = bench(*words, "--workers", 0)
    assert "1 cell, 1 image to work on: 1 to compute, 1 number to make" in first.out
    assert "computed 1 image (0 were there), made 1 number (0 were there)" in first.out
    assert "computed 0 images (1 was there), made 0 numbers (1 was there)" in bench(*words, "--workers", 0).out


def test_a_metric_that_was_not_asked_for_is_no_failure(bench: Callable, photos: Path) -> None:
    """Catches `0/3` in the row of a method that was run with fewer metrics."""
    words = ("run", "--scales", "2", "--datasets", "Photos", "--out", "run", "--workers", 0)
    assert bench(*words, "--methods", "bicubic", "--metrics", "psnr").code == 0
    assert bench(*words, "--methods", "nearest", "--metrics", "psnr,ssim").code == 0
    table = bench("table", "run")
    assert "0/3" not in table.out
    assert "not part of this run" in table.out
