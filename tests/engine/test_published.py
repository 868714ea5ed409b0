"""Published tables through the whole harness: dataset, protocol, method, store, scoring and summary together."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from bench.analysis import records_frame
from bench.api import get_protocol
from bench.data import resolve_dataset
from bench.engine.choice import choose_methods
from bench.engine.request import RunRequest
from bench.engine.run import RunResult, execute
from bench.metrics.catalog import choose_metrics

SETS = ("Set5", "Set14", "BSD100")
SCALES = (2.0, 3.0, 4.0)
PUBLISHED = {
    ("Set5", "psnr"): (33.66, 30.39, 28.42),
    ("Set14", "psnr"): (30.23, 27.54, 26.00),
    ("BSD100", "psnr"): (29.56, 27.21, 25.96),
    ("Set5", "ssim"): (0.9299, 0.8682, 0.8104),
    ("Set14", "ssim"): (0.8688, 0.7742, 0.7027),
    ("BSD100", "ssim"): (0.8431, 0.7385, 0.6675),
}


def run(root: Path, out: Path, protocol: str) -> RunResult:
    request = RunRequest(
        methods=choose_methods(["bicubic"], weights=None, overrides=[]),
        datasets=tuple(resolve_dataset(str(root / "data" / "test" / name)) for name in SETS),
        scales=SCALES,
        metrics=choose_metrics(("psnr", "ssim")),
        protocol=get_protocol(protocol),
        out=out,
        workers=0,
    )
    result = execute(request)
    assert not result.tally.failures
    return result


@pytest.mark.reference
def test_classic_y_gives_the_published_bicubic_rows(reference_root: Path, tmp_path: Path) -> None:
    records = records_frame(run(reference_root, tmp_path, "classic-y").rows.rows)
    means = records.groupby(["dataset", "metric", "scale"])["value"].mean()
    for (dataset, metric), values in PUBLISHED.items():
        for scale, value in zip(SCALES, values, strict=True):
            tolerance = 0.01 if metric == "psnr" else 0.001
            assert means[dataset, metric, scale] == pytest.approx(value, abs=tolerance), (dataset, metric, scale)


@pytest.mark.reference
def test_basicsr_y_gives_the_reference_values_of_every_image(reference_root: Path, tmp_path: Path) -> None:
    rows = run(reference_root, tmp_path, "basicsr-y").rows.rows
    found = {(row.dataset, row.scale, row.image, row.metric): row.value for row in rows}
    with (reference_root / "reference" / "bicubic_basicsr_y.csv").open(encoding="utf-8") as stream:
        wanted = [row for row in csv.DictReader(stream) if row["image"] != "MEAN"]
    assert len(wanted) == 3 * 119
    for row in wanted:
        unit = (row["set"], float(row["scale"]), Path(row["image"]).stem)
        assert found[(*unit, "psnr")] == pytest.approx(float(row["psnr_y"]), abs=0.002), unit
        assert found[(*unit, "ssim")] == pytest.approx(float(row["ssim_y"]), abs=1e-4), unit
