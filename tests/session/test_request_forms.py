"""One request, said in three ways: on the command line, in a file, from Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

import bench
from bench.api import RECORD_COLUMNS, SUMMARY_COLUMNS, RequestError
from bench.session import Run, make_config, read_config
from bench.session.request import build_request

Call = Callable[..., Run]


def test_records_and_summary_are_what_the_files_say(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches frames that differ from the CSV files, such as an empty variant that pandas reads as NaN."""
    made = run("bicubic,liif", (2, 3.6), datasets=photos, limit=2)
    assert tuple(made.records.columns) == (*RECORD_COLUMNS, "parameters")
    assert tuple(made.summary.columns) == (*SUMMARY_COLUMNS, "seconds", "parameters")
    records = pd.read_csv(tmp_path / "run" / "records.csv")
    assert list(records.columns) == list(made.records.columns)
    assert list(pd.read_csv(tmp_path / "run" / "summary.csv").columns) == list(made.summary.columns)
    assert set(records["variant"]) == {"-", "lite"} == set(made.records["variant"])
    grouped = records.groupby(["method", "variant", "dataset", "scale", "metric"])["value"].mean()
    for _, row in made.summary.iterrows():
        key = (row["method"], row["variant"], row["dataset"], row["scale"], row["metric"])
        assert grouped[key] == pytest.approx(row["mean"])
    assert made.complete
    assert r"\begin{table" in made.table("tex")
    assert (tmp_path / "run" / "table.tex").read_text(encoding="utf-8") == made.table("tex")


def test_a_run_gives_what_was_asked_for_and_its_folder_everything(run: Call, photos: Path, tmp_path: Path) -> None:
    run("bicubic", 2, datasets=photos)
    second = run("nearest", 3, datasets=photos)
    assert set(second.summary["method"]) == {"nearest"}
    assert set(bench.load(tmp_path / "run").summary["method"]) == {"bicubic", "nearest"}


def test_a_request_given_back_from_run_json_is_the_same_request(run: Call, photos: Path, tmp_path: Path) -> None:
    """Catches a stored request that nobody can run."""
    first = run("bicubic,mine=liif", (2, 3.6), datasets=photos, limit=2, set=["mine.chunk=9999"], seeds=(0, 1))
    values = read_config(tmp_path / "run" / "run.json")
    (tmp_path / "request.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert read_config(tmp_path / "request.yaml") == values
    again = build_request(make_config(values))
    assert first.result is not None
    asked = first.result.plan.request
    assert [(c.variant, c.options) for c in again.methods] == [(c.variant, c.options) for c in asked.methods]
    for field in ("scales", "metric_names", "protocol", "seeds", "limit", "out", "workers"):
        assert getattr(again, field) == getattr(asked, field), field
    assert json.loads((tmp_path / "run" / "run.json").read_text())["request"] == json.loads(json.dumps(values))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("methods: bicubic\nscale: 2\n", "scale: there is no such option"),
        ("methods: bicubic\n", "scales is missing"),
        ("methods: bicubic\nscales: [2, x]\n", "'x' is not a scale"),
        ("methods: [bicubic\n", "is not yaml"),
        ("- bicubic\n", "expected keys"),
        ("", "expected keys"),
        ("methods: bicubic\nscales: 2\nworkers: -1\n", "workers"),
        ("methods: bicubic\nscales: 2\ntile: 3\n", "tile"),
        ("methods: bicubic\nscales: 2\nlimit: many\n", "limit"),
        ("methods: bicubic\nscales: 2\nexecutor: slurm\n", "--executor slurm: there is local"),
    ],
)
def test_a_request_file_is_strict(tmp_path: Path, text: str, words: str) -> None:
    """Catches a typo that silently runs something else."""
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=words):
        build_request(make_config(read_config(path), where=str(path)))


def test_what_is_typed_beside_a_request_file_is_not_said_to_stand_in_it(tmp_path: Path) -> None:
    """Catches a message that sends a person into the file for a word of the command line."""
    path = tmp_path / "run.yaml"
    path.write_text("methods: bicubic\nscales: 2\nlimit: 0\n", encoding="utf-8")
    typed = {"shard": "3/2"}
    with pytest.raises(RequestError, match=r"run\.yaml: limit 0"):
        make_config({**read_config(path), **typed}, where=str(path), typed=typed)
    typed["limit"] = "1"
    with pytest.raises(RequestError, match=r"^--shard 3/2: .*such as 3/16"):
        make_config({**read_config(path), **typed}, where=str(path), typed=typed)


def test_lists_may_be_texts_lists_or_mappings() -> None:
    """Catches three readings of one list."""
    text = make_config({"methods": "casr,liif", "scales": "2,3.60", "set": ["casr.fixed=2,2"], "name": ["casr=C"]})
    lists = make_config(
        {"methods": ["casr", "liif"], "scales": [2, 3.6], "set": {"casr": {"fixed": [2, 2]}}, "name": {"casr": "C"}}
    )
    assert text == lists
    assert make_config({"methods": "a", "scales": 2, "set": {"a.b": None}}).set == ("a.b=null",)


def test_a_score_is_a_run_of_given_images(run: Call, photos: Path, tmp_path: Path) -> None:
    run("bicubic", 2, datasets=photos)
    folder = tmp_path / "run" / "images" / "bicubic" / "Photos" / "x2-s0"
    scored = bench.score(
        folder,
        photos,
        scale=2,
        protocol="sample",
        metrics="psnr,ssim",
        out=tmp_path / "score",
        name="Theirs",
        workers=0,
    )
    assert "Theirs" in scored.table()
    direct = bench.load(tmp_path / "run").summary["mean"]
    assert list(scored.summary["mean"]) == pytest.approx(list(direct))
    with pytest.raises(RequestError, match="is not a folder"):
        bench.score(tmp_path / "none", photos, scale=2, protocol="sample")


def test_importing_the_package_stays_light() -> None:
    """Catches `import bench` that costs seconds."""
    import subprocess
    import sys

    code = "import sys, bench; bench.run; print(sorted({'torch', 'matplotlib', 'diffusers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_attribute_of_the_package_is_named() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ruin'"):
        bench.ruin  # type: ignore[attr-defined]  # noqa: B018


def test_without_metrics_a_network_trained_by_lpips_is_judged_by_an_unseen_one_too() -> None:
    """Catches a default table in which the only perceptual value of CASR is the one that it was trained by."""
    plain = build_request(make_config({"methods": "bicubic,liif", "scales": "2"}))
    assert plain.metric_names == ("psnr", "ssim", "lpips", "niqe")
    trained = build_request(make_config({"methods": "bicubic,casr", "scales": "2"}))
    assert trained.metric_names == ("psnr", "ssim", "lpips", "lpips_squeeze", "niqe")
    asked = build_request(make_config({"methods": "casr", "scales": "2", "metrics": "lpips"}))
    assert asked.metric_names == ("lpips",)
