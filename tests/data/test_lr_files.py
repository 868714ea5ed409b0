"""`bench data lr`: the files are what a run gives to its methods, and results made of them score as the run's do."""

from __future__ import annotations

import csv
import shlex

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bench.api import BenchError, get_protocol
from bench.cli import data as commands
from bench.data import prepare, resolve_dataset
from bench.imaging import imresize, read_image, write_png


@pytest.fixture
def run():
    app = typer.Typer()
    commands.register(app)

    def call(*words):
        return CliRunner().invoke(app, ["data", "lr", *map(str, words)])

    return call


@pytest.mark.parametrize("protocol", ["basicsr-y", "lut-y", "blind-assr"])
def test_files_hold_what_a_method_is_given(run, tmp_path, protocol):
    """Catches another downsampler, size rule or draw than a run's, and a value that is cut instead of rounded."""
    done = run("sample", "--scales", "4,3.6", "--protocol", protocol, "--out", tmp_path / "lr", "--limit", 2)
    assert done.exit_code == 0, done.stderr
    with (tmp_path / "lr" / "sizes.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4
    samples = {sample.id: sample for sample in resolve_dataset("sample").samples(4.0)}
    for row in rows:
        pair = prepare(samples[row["image"]], float(row["scale"]), get_protocol(protocol).drawn(0))
        pixels = read_image(tmp_path / "lr" / row["file"]).pixels
        np.testing.assert_allclose(pixels / 255, pair.lr, atol=1e-6)
        assert pixels.shape[:2] == (int(row["lr_height"]), int(row["lr_width"])) == pair.lr_shape
        assert (int(row["height"]), int(row["width"])) == pair.asked


def test_results_made_elsewhere_score_as_those_of_a_run(run, tmp_path):
    """Catches file names or sizes that `score` does not read back."""
    import bench

    done = run("sample", "--scales", "4", "--protocol", "sample", "--out", tmp_path / "lr", "--limit", 2)
    assert "bench score SR_FOLDER sample --scale 4 --protocol sample --limit 2" in done.stdout
    (tmp_path / "sr" / "x4").mkdir(parents=True)
    with (tmp_path / "lr" / "sizes.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            lr = read_image(tmp_path / "lr" / row["file"]).pixels
            sr = imresize(lr.astype(np.float64), (int(row["height"]), int(row["width"])))
            write_png(tmp_path / "sr" / row["file"], np.clip(np.floor(sr + 0.5), 0, 255).astype(np.uint8))
    options = {"metrics": "psnr", "limit": 2, "workers": 0, "protocol": "sample"}
    elsewhere = bench.score(tmp_path / "sr", "sample", scale=4, out=tmp_path / "score", **options)
    here = bench.run("bicubic", 4, out=tmp_path / "run", **options)
    assert elsewhere.summary["mean"][0] == pytest.approx(here.summary["mean"][0], abs=0.01)


def test_the_command_that_scores_results_finds_the_set_where_it_was_found(run, tmp_path):
    """Catches a printed command without the root, or the background, that the LR images were made with."""
    (tmp_path / "my sets" / "Mine").mkdir(parents=True)
    write_png(tmp_path / "my sets" / "Mine" / "a.png", np.zeros((16, 16, 3), np.uint8))
    set_, root = tmp_path / "my sets" / "Mine", tmp_path / "my sets"
    words = ("--scales", "2", "--out", tmp_path / "lr", "--data-root", root, "--alpha", "white")
    (line,) = [line for line in run(set_, *words).stdout.splitlines() if "bench score" in line]
    assert shlex.split(line)[2:] == [
        *("SR_FOLDER", str(set_), "--scale", "2", "--protocol", "sample"),
        *("--alpha", "white", "--data-root", str(root)),
    ]


def test_files_are_a_set_with_given_lr(run, tmp_path):
    """Catches a layout that `HR::LR` does not find."""
    run("sample", "--scales", "2,4", "--protocol", "sample", "--out", tmp_path / "lr", "--limit", 2)
    found = resolve_dataset(f"::{tmp_path / 'lr' / 'x4'}").samples(4.0)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--protocol", "classic-y"), "keeps LR unrounded"),
        (("--protocol", "basicsr"), "Did you mean"),
        (("--scales", "400"), "leaves no LR image"),
    ],
)
def test_wrong_requests_are_answered(run, tmp_path, words, said):
    """Catches LR files that are not the protocol's, or half a set."""
    with pytest.raises(BenchError, match=said):
        raise run("sample", "--scales", "4", "--out", tmp_path / "lr", *words).exception


def test_folder_in_use_is_refused(run, tmp_path):
    """Catches images of two protocols in one folder."""
    assert run("sample", "--scales", "4", "--out", tmp_path / "lr", "--limit", 1).exit_code == 0
    with pytest.raises(BenchError, match="is in use"):
        raise run("sample", "--scales", "4", "--out", tmp_path / "lr").exception
