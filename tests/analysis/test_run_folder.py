"""Reading a run folder back: names stay names, damage is named."""

from __future__ import annotations

import json
import math

import pytest

from bench.analysis import expected_frame, expected_rows, load_run
from bench.analysis.frames import parse_protocols
from bench.api import CellId, RequestError

HEADER = "method,variant,dataset,image,scale,seed,metric,value,unit_status,signature\n"
GOOD = HEADER + (
    "NA,,Set5,007,4,0,psnr,inf,ok,psnr|rgb\n"
    "NA,,Set5,nan,4,0,psnr,,failed,psnr|rgb\n"
    '"a,b",lite,"Größe 1",null,3.6,1,psnr,30.25,ok,psnr|rgb\n'
)


@pytest.fixture
def run(tmp_path):
    (tmp_path / "records.csv").write_text(GOOD, encoding="utf-8")
    cells = {("NA", "", "Set5", 4.0, 0): 2, CellId("a,b", "lite", "Größe 1", 3.6, 1): 1}
    content = {
        "request": {"metrics": ["psnr"]},
        "expected": expected_rows(cells),
        "unavailable": {"niqe": "no file"},
        "displays": {"a,b|lite": "A|B (lite)"},
        "minimised": {"a,b|lite": ["lpips"]},
        "signatures": {"psnr|rgb": ["sample", "casr"], "ssim|rgb": "sample"},
    }
    (tmp_path / "run.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_names_that_look_like_numbers_or_nothing_stay_names(run):
    frames = load_run(run)
    assert list(frames.records["method"]) == ["NA", "NA", "a,b"]
    assert list(frames.records["image"]) == ["007", "nan", "null"]
    assert list(frames.records["variant"]) == ["", "", "lite"]
    values = list(frames.records["value"])
    assert values[0] == math.inf
    assert math.isnan(values[1])
    assert values[2] == 30.25
    assert frames.displays[("a,b", "lite")] == "A|B (lite)"
    assert frames.minimised == {("a,b", "lite"): ("lpips",)}
    assert frames.protocols["psnr|rgb"] == ("sample", "casr")
    assert frames.protocols["ssim|rgb"] == ("sample",)
    assert set(frames.summary["note"]) == {"1/2", "", "unavailable: no file"}


def test_expected_survives_json():
    cells = {("m", "v", "d", 3.6, 1): 7}
    assert expected_rows(expected_frame(json_round(cells))) == expected_rows(cells)


def json_round(cells):
    import pandas as pd

    return pd.DataFrame(json.loads(json.dumps(expected_rows(cells))))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("run.json", "{", "run.json cannot be read"),
        ("run.json", "[]", "expected an object"),
        ("run.json", '{"expected": 3}', "'expected' should be a list"),
        ("run.json", '{"signatures": []}', "'signatures' should be an object"),
        ("run.json", '{"expected": [{"method": "m"}]}', "entry 0 of 'expected'"),
        ("records.csv", "", "records.csv cannot be read"),
        ("records.csv", "a,b\n1,2\n", "no column method"),
        ("records.csv", HEADER + "m,,d,i,four,0,psnr,1,ok,s\n", "line 2: 'four' is not a scale"),
        ("records.csv", HEADER + "m,,d,i,4,0,psnr,1x,ok,s\n", "line 2: '1x' is not a value"),
        ("records.csv", HEADER + "m,,d,i,4,0,psnr,1,fine,s\n", "unknown unit_status 'fine'"),
        ("records.csv", HEADER + 'm,,d,"i,4,0,psnr,1,ok,s\n', "records.csv"),
    ],
)
def test_damage_is_named_and_never_a_traceback(run, name, text, words):
    (run / name).write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=words):
        load_run(run)


def test_wrong_folders_say_what_was_found(tmp_path):
    with pytest.raises(RequestError, match="found nothing there"):
        load_run(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="found a file there"):
        load_run(tmp_path / "file")
    with pytest.raises(RequestError, match=r"has no run\.json"):
        load_run(tmp_path)


def test_run_without_any_record_is_read(run):
    (run / "records.csv").write_text(HEADER)
    frames = load_run(run)
    assert len(frames.records) == 0
    assert set(frames.summary["note"]) == {"unavailable: no file", "0/2", "0/1"}


def test_means_over_reference_scales_belong_to_the_protocol_of_the_metric():
    """Catches a filter by protocol that drops the SelfSSIM column, whose signature has lost its reference."""
    protocols = parse_protocols({"selfssim|rgb|ref:column|shave:0|v1": "sample", "psnr|rgb|v1": ["sample", "casr"]})
    assert protocols["selfssim|rgb|shave:0|v1"] == ("sample",)
    assert protocols["selfssim|rgb|ref:column|shave:0|v1"] == ("sample",)
    assert protocols["psnr|rgb|v1"] == ("sample", "casr")
