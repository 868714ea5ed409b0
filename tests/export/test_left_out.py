"""What may not leave a run folder: incomplete, stale, failed, infinite and doubtful means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import bench
from bench.analysis import Selection
from bench.api import RequestError
from bench.export import Options, export_run
from bench.imaging import write_png
from tests.export.conftest import change_image

OPTIONS = Options(organisation="A", relationship="other", datasets={"Photos": "us/photos"})


def scores(folder: Path, output: str, out: Path) -> tuple[set[tuple[str, float]], str]:
    """(method, scale) of the PSNR values that were exported, and what was said of the others."""
    written = export_run([folder], output, out, options=OPTIONS, selection=Selection(metrics=("psnr",)))
    found = set()
    for path in written.files:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if output == "eee":
            method = content["model_info"]["additional_details"]["method"]
            scales = [r["metric_config"]["metric_parameters"]["scale"] for r in content["evaluation_results"]]
        else:
            method = path.relative_to(out).parts[0]
            scales = [float(entry["dataset"]["task_id"].removeprefix("psnr-x")) for entry in content]
        found |= {(method, scale) for scale in scales}
    return found, "\n".join(written.left_out)


@pytest.mark.parametrize("output", ["hf-eval", "eee"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: None, "2/3"),
        (lambda record: {**record, "status": "failed", "output": None, "scores": [], "error": "broken"}, "2/3"),
        (lambda record: {**record, "origin": "another"}, "2/3"),
    ],
    ids=["missing", "failed", "stale"],
)
def test_a_mean_that_misses_an_image_stays_here(
    run_folder: Path, tmp_path: Path, output: str, change: Any, words: str
) -> None:
    """Catches the mean of the images that happen to be there, and silence about the cell that is not exported."""
    change_image(run_folder, change)
    found, said = scores(run_folder, output, tmp_path / "out")
    assert found == {("nearest", 2.0), ("nearest", 3.0), ("bicubic", 3.0)}
    assert "Bicubic, Photos, x2, psnr" in said
    assert words in said


@pytest.mark.parametrize("output", ["hf-eval", "eee"])
def test_doubtful_and_infinite_numbers_stay_here(tmp_path: Path, output: str) -> None:
    """Catches a value of 10-pixel LR images published like any other, and an infinity in JSON or YAML."""
    photos = tmp_path / "Photos"
    photos.mkdir()
    write_png(photos / "gradient.png", np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3).astype(np.uint8))
    bench.run("nearest", "1,2,6", datasets=str(photos), metrics="psnr", out=tmp_path / "run", workers=0, device="cpu")
    found, said = scores(tmp_path / "run", output, tmp_path / "out")
    assert found == {("nearest", 2.0)}
    assert "x6, psnr: doubtful: an LR side is below 16 px" in said
    assert "x1, psnr: ∞" in said


def test_a_run_without_anything_to_export_is_refused(run_folder: Path, tmp_path: Path) -> None:
    """Catches an empty file that looks like an export."""
    change_image(run_folder, lambda record: None)
    only = Selection(metrics=("psnr",), methods=("bicubic",), scales=(2.0,))
    with pytest.raises(RequestError, match="nothing to export: Bicubic, Photos, x2, psnr: 2/3"):
        export_run([run_folder], "eee", tmp_path / "out", options=OPTIONS, selection=only)
    assert not (tmp_path / "out").exists()


def test_a_copy_that_does_not_say_the_sizes_is_refused(run_folder: Path, tmp_path: Path) -> None:
    """Catches a copy of which nobody can say how large its images are, exported as if none were too small."""
    (run_folder / "records").rename(run_folder / "elsewhere")
    written = export_run([run_folder], "eee", tmp_path / "whole", options=OPTIONS)
    assert written.numbers
    records = pd.read_csv(run_folder / "records.csv", keep_default_na=False)
    records.drop(columns=["height", "width"]).to_csv(run_folder / "records.csv", index=False)
    with pytest.raises(RequestError, match="do not say how large their images are"):
        export_run([run_folder], "eee", tmp_path / "out", options=OPTIONS)


def test_one_scale_against_another_is_named(finished: Path, tmp_path: Path) -> None:
    """Catches one scale against another (a matrix) told of as a number, or dropped without a word."""
    written = export_run([finished], "eee", tmp_path / "out", options=OPTIONS)
    assert sum("one scale against another" in sentence for sentence in written.left_out) == 2
    summary = bench.load(finished).summary
    assert written.numbers == int((~summary["metric"].str.contains("@")).sum())
