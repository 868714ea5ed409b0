"""`bench export` as a person types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def ran(bench: Callable, photos: Path) -> Path:
    """A run of two methods; one image of nearest is gone afterwards."""
    done = bench("run", "--methods", "nearest,bicubic", "--datasets", photos, "--scales", "2", "--metrics", "psnr")
    assert done.code == 0, done.err
    folder = Path("results/runs/default")
    path = folder / "records" / "nearest" / "Photos" / "x2-s0.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("".join(f"{line}\n" for line in lines if '"image":"p2"' not in line), encoding="utf-8")
    return folder


def test_what_is_not_whole_is_named_on_stderr(bench: Callable, ran: Path) -> None:
    """Catches an incomplete mean in a file, and a file list that hides what is missing."""
    done = bench("export", ran, "--format", "eee", "--organisation", "Us", "--relationship", "other")
    assert done.code == 0, done.err
    assert "left out: Nearest, Photos, x2, psnr: 2/3" in done.err
    assert done.out.splitlines()[-1] == "1 mean in 1 file"
    record = json.loads(Path(done.out.splitlines()[0]).read_text(encoding="utf-8"))
    assert record["model_info"]["id"] == "unknown/bicubic"


def test_models_and_sets_are_named_by_who_exports(bench: Callable, ran: Path) -> None:
    """Catches options that do not reach the files: names of models, sets and tasks."""
    words = ("--hub-dataset", "Photos=us/photos", "--model", "bicubic=us/cubic", "--task", "{metric}_{scale}")
    done = bench("export", ran, "--format", "hf-eval", *words, "--out", "out")
    assert done.code == 0, done.err
    text = Path("out/us/cubic/.eval_results/assr-bench-Photos.yaml").read_text(encoding="utf-8")
    assert "id: us/photos" in text
    assert "task_id: psnr_2" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no run given"),
        (("nowhere",), "no run folder nowhere"),
        (("results/runs/default", "--format", "xlsx"), "unknown format 'xlsx'"),
        (("results/runs/default", "--format", "hf-eval"), "give --hub-dataset NAME=OWNER/DATASET"),
        (("results/runs/default", "--hub-dataset", "Photos"), "expected DATASET=OWNER/NAME"),
        (("results/runs/default", "--model", "bicubic=cubic"), "expected OWNER/NAME"),
        (("results/runs/default", "--format", "eee"), "give --organisation NAME"),
    ],
)
def test_wrong_requests(bench: Callable, ran: Path, words: tuple[str, ...], message: str) -> None:
    """Catches a traceback, and a wrong request that exits with 0 or 1."""
    done = bench("export", *words)
    assert (done.code, message in done.err) == (2, True), done.err
    assert not (ran / "export").exists()
