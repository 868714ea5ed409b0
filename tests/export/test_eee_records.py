"""Every Eval Ever records against the published schema, and what they say of a number."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.api import RequestError
from bench.export import Options, export_run
from bench.export.eee_models import SCHEMA_VERSION, EvaluationRecord

OPTIONS = Options(organisation="A laboratory", relationship="third_party", models={"bicubic": "us/bicubic"})


def records(folder: Path, out: Path, options: Options = OPTIONS, now: float = 1_700_000_000) -> dict[str, Any]:
    """Path below `out` -> content, of every file written."""
    written = export_run([folder], "eee", out, options=options, now=now)
    return {str(path.relative_to(out)): json.loads(path.read_text(encoding="utf-8")) for path in written.files}


def test_records_are_valid_by_the_published_schema(finished: Path, tmp_path: Path, eee_schema: dict[str, Any]) -> None:
    """Catches a field of another name or type, a missing one, and one that the schema does not have."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (pip install '.[test]')")
    validator = jsonschema.Draft7Validator(eee_schema)
    found = records(finished, tmp_path)
    assert len(found) == 2
    for record in found.values():
        validator.validate(record)
        broken = {**record, "evaluation_results": [{**record["evaluation_results"][0], "metric_config": {}}]}
        assert not validator.is_valid(broken)
    with_hub = Options(organisation="A", relationship="other", datasets={"Photos": "us/photos"})
    for record in records(finished, tmp_path / "hub", with_hub).values():
        validator.validate(record)
        assert record["evaluation_results"][0]["source_data"]["hf_repo"] == "us/photos"


def test_models_hold_nothing_beyond_the_schema(eee_schema: dict[str, Any]) -> None:
    """Catches, without a validator, a model that drifts from the schema: the version, required and allowed fields."""
    assert eee_schema["version"] == SCHEMA_VERSION
    fields = EvaluationRecord.model_fields
    assert set(eee_schema["required"]) <= set(fields) <= set(eee_schema["properties"])
    result = eee_schema["properties"]["evaluation_results"]["items"]
    own = EvaluationRecord.model_json_schema()["$defs"]
    assert set(result["required"]) <= set(own["EvaluationResult"]["properties"]) <= set(result["properties"])
    config = result["properties"]["metric_config"]
    assert set(config["required"]) <= set(own["MetricConfig"]["properties"]) <= set(config["properties"])
    model = eee_schema["$defs"]["model_info"]
    assert set(model["required"]) <= set(own["ModelInfo"]["properties"]) <= set(model["properties"])


def test_the_vendored_schema_is_what_was_published() -> None:
    """Catches a schema that was edited until our records fit."""
    folder = Path(__file__).parent / "vendored"
    (entry,) = json.loads((folder / "vendored.json").read_text(encoding="utf-8"))
    assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert entry["kind"] == "MIT"
    assert "EvalEval" in entry["licence"]


def test_every_score_is_the_mean_of_the_run_with_its_signature(finished: Path, tmp_path: Path) -> None:
    """Catches scores under another metric's or scale's signature, rounded ones, and a direction turned round."""
    summary = bench.load(finished).summary
    found = records(finished, tmp_path)
    bicubic = next(record for record in found.values() if record["model_info"]["id"] == "us/bicubic")
    assert bicubic["model_info"]["developer"] == "us"
    own = summary[(summary["method"] == "bicubic") & ~summary["metric"].str.contains("@")]
    assert len(bicubic["evaluation_results"]) == len(own) > 0
    for result in bicubic["evaluation_results"]:
        config = result["metric_config"]
        scale = config["metric_parameters"]["scale"]
        row = own[(own["metric"] == config["metric_id"]) & (own["scale"] == scale)].iloc[0]
        assert result["score_details"]["score"] == row["mean"]
        assert config["metric_parameters"]["signature"] == row["signature"]
        assert result["score_details"]["details"]["signature"] == row["signature"]
        assert result["source_data"]["additional_details"]["images"] == "3 of 3"
        assert config["lower_is_better"] is False
        assert config["metric_parameters"]["protocol"] == "sample"


def test_the_interval_is_students(finished: Path, tmp_path: Path) -> None:
    """Catches an interval of normal quantiles, or over pixels: scipy's t over the three images."""
    from scipy import stats

    rows = bench.load(finished).records
    values = rows[(rows["method"] == "bicubic") & (rows["metric"] == "psnr") & (rows["scale"] == 2)]["value"]
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    bicubic = next(r for r in records(finished, tmp_path).values() if r["model_info"]["id"] == "us/bicubic")
    psnr = next(r for r in bicubic["evaluation_results"] if r["evaluation_result_id"].startswith("Photos/x2/psnr|"))
    interval = psnr["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"]) == pytest.approx((low, high), abs=1e-9)


def test_places_are_those_of_the_datastore(finished: Path, tmp_path: Path) -> None:
    """Catches names that the datastore refuses, and a second file where nothing but the hour changed."""
    first, again = records(finished, tmp_path), records(finished, tmp_path, now=1_700_009_999)
    assert list(first) == list(again)
    for place, record in again.items():
        data, collection, developer, model, name = place.split("/")
        assert (data, collection) == ("data", "assr-bench")
        assert f"{developer}/{model}" == record["model_info"]["id"]
        assert uuid.UUID(Path(name).stem).version == 4
        assert record["evaluation_id"] == f"assr-bench/{developer}/{model}/1700009999"
    assert next(iter(again)).startswith("data/assr-bench/unknown/nearest/")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(relationship="other"), "--organisation"),
        (Options(organisation="A"), "first_party, third_party"),
        (Options(organisation="A", relationship="friend"), "'friend'"),
        (Options(organisation="A", relationship="other", models={"bicubic": "nobody"}), "OWNER/NAME"),
        (Options(organisation="A", relationship="other", models={"liif": "a/b"}), "liif"),
        (Options(organisation="A", relationship="other", datasets={"Set5": "a/b"}), "Set5"),
    ],
)
def test_what_no_run_says_is_asked_for(finished: Path, tmp_path: Path, options: Options, words: str) -> None:
    """Catches an invented sender, relationship, model or set: without a word of the user nothing is written."""
    with pytest.raises(RequestError, match=words):
        export_run([finished], "eee", tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()
