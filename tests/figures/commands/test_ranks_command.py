"""`bench figure ranks`: ranks of a run against its own summary and records, and wrong requests."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from bench.analysis import Selection, load_run
from bench.figures.ranks.numbers import rank_scales
from bench.metrics.catalog import known_infos


@pytest.fixture
def run(bench: Callable, photos: Path, newcomer: Path) -> Path:
    """Four methods on two sets (the photos, and two of them under another name)."""
    second = newcomer / "Two"
    second.mkdir()
    for name in ("p0.png", "p1.png"):
        (second / name).write_bytes((photos / name).read_bytes())
    done = bench(
        "run", "--methods", "nearest,bilinear,bicubic,lanczos", "--datasets", "Photos,Two", "--scales", "2,3",
        "--metrics", "psnr", "--workers", 0, "--protocol", "sample", "--out", "run",
    )  # fmt: skip
    assert done.code == 0, done.err
    return newcomer / "run"


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(("over", "blocks"), [("datasets", 2), ("images", 5)])
def test_mean_ranks_are_those_of_the_exports(over: str, blocks: int, bench: Callable, run: Path) -> None:
    """Catches blocks of two scales in one diagram, and an image of one name in two sets that counts once."""
    done = bench("figure", "ranks", run, "--out", "ranks.png", "--over", over)
    assert (done.code, done.err) == (0, "")
    rows = _read(Path("ranks.csv"))
    assert {int(row["blocks"]) for row in rows} == {blocks}
    source = _read(run / ("summary.csv" if over == "datasets" else "records.csv"))
    value = "mean" if over == "datasets" else "value"
    for scale in ("2", "3"):
        table: dict[tuple[str, str], dict[str, float]] = {}
        for row in source:
            if row["scale"] == scale:
                table.setdefault((row["dataset"], row.get("image", "")), {})[row["method"]] = float(row[value])
        names = sorted(next(iter(table.values())))
        ranks = np.mean([rankdata([-own[name] for name in names]) for own in table.values()], axis=0)
        found = {row["method"].lower(): float(row["mean_rank"]) for row in rows if float(row["scale"]) == float(scale)}
        assert found == pytest.approx(dict(zip(names, ranks, strict=True)))
    assert Path("ranks.png").stat().st_size > 10_000


def test_figure_of_every_kind_is_the_same_twice(bench: Callable, run: Path) -> None:
    """Catches a date or a random id in the file."""
    for suffix in ("png", "pdf", "svg"):
        for name in ("a", "b"):
            assert bench("figure", "ranks", run, "--out", f"{name}.{suffix}").code == 0
        assert Path(f"a.{suffix}").read_bytes() == Path(f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--over", "scales"), "choose datasets or images"),
        (("--methods", "bicubic,nearest"), "at least three methods"),
        (("--datasets", "Two"), "--over images"),
        (("--metric", "lpips"), "unknown metric of this run"),
    ],
)
def test_wrong_requests_are_answered(words: tuple[str, ...], said: str, bench: Callable, run: Path) -> None:
    """Catches a figure of nothing."""
    done = bench("figure", "ranks", run, "--out", "ranks.png", *words)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("over", ["datasets", "images"])
def test_a_method_that_was_trained_by_the_metric_is_left_out(over: str, run: Path) -> None:
    """Catches a rank by what a network's loss minimised, where the table of the same run gives it no mark."""
    frames = load_run(run)
    rows = [replace(row, minimised=("psnr",) if row.method == "lanczos" else ()) for row in frames.rows]
    said: list[str] = []
    found = rank_scales(
        replace(frames, rows=rows), known_infos(["psnr"]), Selection(metrics=("psnr",)), over=over, warn=said.append
    )
    assert {name for ranks in found.scales.values() for name in ranks.names} == {"Nearest", "Bilinear", "Bicubic"}
    assert said == ["left out: Lanczos: PSNR was part of the loss in the training"]
