"""`bench protocol-diff` against runs that were made under the other protocol, and what it refuses to measure."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from bench.api import get_protocol
from bench.session.protocol_diff import cannot_score, scoring_half

_RUN = ("--methods", "nearest,bicubic", "--scales", "2", "--metrics", "psnr,ssim", "--workers", "0")


@pytest.fixture
def run_folder(photos: Path, bench) -> str:
    """A run under `sample`."""
    assert bench("run", *_RUN, "--datasets", photos, "--protocol", "sample", "--out", "run").code == 0
    return "run"


def _means(path: Path) -> dict[tuple[str, str], float]:
    with path.open(encoding="utf-8", newline="") as stream:
        return {(row["method"], row["metric"]): float(row["mean"]) for row in csv.DictReader(stream)}


def test_shift_is_that_between_two_runs(bench, run_folder: str, photos: Path, newcomer: Path) -> None:
    """Catches a column that is scored under the run's own protocol, or a shift of the wrong sign."""
    assert bench("run", *_RUN, "--datasets", photos, "--protocol", "basicsr-y", "--out", "other").code == 0
    sample, other = _means(newcomer / "run" / "summary.csv"), _means(newcomer / "other" / "summary.csv")
    done = bench("protocol-diff", run_folder, "--protocols", "basicsr-y", "--format", "csv", "--workers", "0")
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 4
    for row in rows:
        key = row["method"].lower(), row["metric"]
        assert float(row["sample"]) == pytest.approx(sample[key], abs=1e-9)
        assert float(row["basicsr-y - sample"]) == pytest.approx(other[key] - sample[key], abs=1e-9)


def test_nothing_is_written(bench, run_folder: str, newcomer: Path) -> None:
    """Catches numbers of other protocols that get into the run's records."""
    before = {path: path.read_bytes() for path in (newcomer / "run").rglob("*") if path.is_file()}
    assert bench("protocol-diff", run_folder, "--workers", "0").code == 0
    assert before == {path: path.read_bytes() for path in (newcomer / "run").rglob("*") if path.is_file()}


def test_what_stored_images_cannot_tell_is_said(bench, run_folder: str) -> None:
    """Catches a shift by another LR that is claimed to be measured, and 8-bit images that are scored as unrounded."""
    protocols = "classic-y,liif-benchmark"
    text = bench("protocol-diff", run_folder, "--protocols", protocols, "--workers", "0").out
    assert "classic-y*" in text
    assert "only the scoring half" in text
    assert "lr_depth float for u8" in text
    assert "liif-benchmark is left out: the images are stored rounded" in text
    facts = json.loads(
        bench("protocol-diff", run_folder, "--protocols", protocols, "--workers", "0", "--format", "json").out
    )
    assert all("lr:matlab-bicubic|" in s for own in facts["signatures"].values() for s in own)
    assert "liif-benchmark" not in facts["signatures"]


def test_only_the_scoring_half_changes() -> None:
    """Catches a hybrid that takes the other protocol's plane, LR or size rule."""
    own, other = get_protocol("sample"), get_protocol("classic-y")
    hybrid = scoring_half(own, other)
    assert hybrid.pair_id(2.0) == own.pair_id(2.0)
    assert (hybrid.psnr_colour, hybrid.shave, hybrid.name) == ("y601s", "s", "classic-y")


def test_rounding_is_lost_one_way_only() -> None:
    """Catches a refusal of 16-bit images under 8-bit protocols, which are rounded exactly."""
    sample, liif, luma = (get_protocol(name) for name in ("sample", "liif-benchmark", "classic-y"))
    assert cannot_score(sample, liif)
    assert not cannot_score(liif, sample)
    assert "luma planes" in cannot_score(luma, sample)


def test_changed_images_end_it(bench, run_folder: str, newcomer: Path) -> None:
    """Catches numbers of pixels that are not the run's."""
    paths = sorted((newcomer / "run" / "images" / "bicubic").rglob("*.png"))
    paths[0].write_bytes(paths[1].read_bytes())
    done = bench("protocol-diff", run_folder, "--protocols", "basicsr-y", "--workers", "0")
    assert done.code == 1
    assert "was changed after it was written" in done.err
    paths[0].unlink()
    done = bench("protocol-diff", run_folder, "--protocols", "basicsr-y", "--workers", "0")
    assert done.code == 2
    assert "1 of 6 images" in done.err
    assert "finish the run first" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "is not a run folder"),
        (("run", "--protocols", "basicsr"), "Did you mean 'basicsr-y'"),
        (("run", "--protocols", "sample"), "is under sample itself"),
        (("run", "--metrics", "lpips"), "was asked for psnr, ssim"),
    ],
)
def test_wrong_words_are_answered(bench, run_folder: str, words: tuple[str, ...], said: str) -> None:
    """Catches a traceback, or a table of nothing."""
    done = bench("protocol-diff", *words)
    assert done.code == 2
    assert said in done.err


def test_a_run_is_scored_from_its_folder_alone(bench, photos: Path, newcomer: Path) -> None:
    """Catches what plans the run again: the protocol's file, the plug-in and the place of the images may have gone."""
    plugin = newcomer / "up.py"
    plugin.write_text((Path(__file__).parents[1] / "methods" / "plugins" / "cascade.py").read_text(encoding="utf-8"))
    own = newcomer / "mine.yaml"
    own.write_text("base: sample\nhr_mod: 6\nshave: 2\n", encoding="utf-8")
    words = ("--datasets", photos, "--scales", "2", "--metrics", "psnr", "--workers", "0", "--out", "run")
    assert bench("run", *words, "--methods", "cascade", "--plugin", plugin, "--protocol", own).code == 0
    mean = _means(newcomer / "run" / "summary.csv")["cascade", "psnr"]
    own.unlink()
    plugin.unlink()
    photos.rename(newcomer / "Moved")
    words = ("protocol-diff", "run", "--protocols", "sample", "--workers", "0", "--format", "csv")
    refused = bench(*words)
    assert refused.code == 2
    assert "--data NAME_OR_FOLDER" in refused.err
    done = bench(*words, "--data", "Moved")
    assert (done.code, done.err) == (0, "")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert float(row["mine"]) == pytest.approx(mean, abs=1e-9)


def test_rows_are_those_of_the_folder_under_the_newest_protocol(bench, run_folder: str, photos: Path) -> None:
    """Catches rows of another protocol's images, and rows that `bench table` shows and this does not."""
    words = ("--datasets", photos, "--scales", "2", "--metrics", "psnr", "--workers", "0", "--out", run_folder)
    assert bench("run", *words, "--methods", "bilinear", "--protocol", "classic-y").code == 0
    assert bench("run", *words, "--methods", "lanczos", "--protocol", "sample").code == 0
    done = bench("protocol-diff", run_folder, "--protocols", "basicsr-y", "--workers", "0", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["method"] for row in rows] == ["Nearest", "Bicubic", "Lanczos"]


def test_two_protocols_of_one_name_are_refused(bench, run_folder: str, photos: Path, newcomer: Path) -> None:
    """Catches numbers of one file under the heading of another of the same name, and a protocol that is taken for the
    run's own by its name alone."""
    for folder, base in (("a", "sample"), ("b", "basicsr-y")):
        (newcomer / folder).mkdir()
        (newcomer / folder / "mine.yaml").write_text(f"base: {base}\nplane: rgb\n")
    done = bench("protocol-diff", run_folder, "--protocols", "a/mine.yaml,b/mine.yaml", "--workers", "0")
    assert done.code == 2
    assert "a/mine.yaml,b/mine.yaml: both are called 'mine' and differ in " in " ".join(done.err.split())
    made = ("--datasets", photos, "--protocol", "a/mine.yaml", "--out", "own")
    assert bench("run", *_RUN, *made).code == 0
    done = bench("protocol-diff", "own", "--protocols", "b/mine.yaml", "--workers", "0")
    assert done.code == 2
    assert "under another protocol of the name 'mine'" in " ".join(done.err.split())
    done = bench("protocol-diff", "own", "--protocols", "a/mine.yaml,b/../a/mine.yaml", "--workers", "0")
    assert "the run is under mine itself" in " ".join(done.err.split())
