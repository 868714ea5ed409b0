"""What docs/architecture.md promises: a fact about a row, a metric and an executor are added in one place each.

A figure and a table layout are added in tests/figures and tests/report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

import bench
from bench.api import Direction, MetricInfo, MetricKind, RowInfo
from bench.engine.executor import EXECUTORS, Executor, InlineExecutor
from bench.engine.manifest import row_info
from bench.engine.scoring import ScorerConfig
from bench.metrics import Metric
from bench.registry import METRICS
from bench.report import build
from bench.session import Run

Call = Callable[..., Run]


def test_every_fact_about_a_row_reaches_whoever_reads_the_folder(
    run: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a fact that is dropped between the choice of a method and the table of a stored run."""
    first = run("liif", datasets=photos, limit=1)
    assert first.result is not None
    (choice,) = first.result.plan.request.methods
    assert row_info(choice) == bench.load(tmp_path / "run").frames.row("liif", "lite")
    for fact in fields(RowInfo):
        value = {"minimised": ("ssim",), "train_scales": (1.5, 9.0), "parameters": 7}.get(fact.name, f"a {fact.name}")
        longer = replace(row_info(choice), **{fact.name: value})
        stored = replace(first.result.manifest, rows=(longer,))
        assert type(stored).from_json(stored.to_json(), "run.json").rows == (longer,)
    monkeypatch.setattr(
        build, "ROW_NOTES", [*build.ROW_NOTES, lambda row: f"{row.display} has weights '{row.trained}'."]
    )
    later = bench.load(tmp_path / "run")
    assert "LIIF (lite) has weights 'lite'." in later.table("tex").replace("{}", "")
    assert "LIIF (lite) has weights 'lite'." in later.table("md")


def test_a_metric_is_one_class_under_one_name(run: Call, photos: Path) -> None:
    """Catches a metric whose name must be written somewhere else too."""

    class MeanLevel(Metric):
        info = MetricInfo(
            name="mean_level",
            display="Level",
            kind=MetricKind.NO_REFERENCE,
            direction=Direction.HIGHER,
            decimals=1,
            summary="mean level",
        )

        def signature(self, protocol: object, scale: float) -> str:
            """As little as there is to say."""
            return "mean_level|agg:img|v1"

        def compute(self, pair: object) -> float:
            """The mean of all samples."""
            return float(pair.sr.mean())  # type: ignore[attr-defined]

    METRICS.add("mean_level", MeanLevel, origin="a test")
    try:
        made = run("bicubic,nearest", datasets=photos, metrics=("psnr", "mean_level"))
        assert "Level ↑" in made.table()
        assert made.complete
    finally:
        METRICS.forget("mean_level")


def test_an_executor_is_one_factory_under_one_name(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches an executor whose name must be listed in the command line or the engine too."""
    jobs: list[str] = []

    class Counting(InlineExecutor):
        def submit(self, ticket: object, job: object) -> None:
            """Count and run."""
            jobs.append(job.sample.id)  # type: ignore[attr-defined]
            super().submit(ticket, job)  # type: ignore[arg-type]

    def counting(config: ScorerConfig, *, workers: int) -> Executor:
        """The factory."""
        return Counting(config)

    EXECUTORS.add("counting", counting, origin="a test")
    try:
        mine = run(datasets=photos, executor="counting")
        other = run(datasets=photos, out=tmp_path / "other")
        assert sorted(jobs) == [f"p{i}" for i in range(5)]
        assert mine.table() == other.table()
    finally:
        EXECUTORS.forget("counting")
