"""Reading a run folder back: names stay names, damage is named."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from bench.analysis import load_run
from bench.analysis.audit import Severity, audit, read_evidence
from bench.analysis.frames import named_protocols
from bench.api import CellId, CellPlan, ImageSet, Origin, RequestError, RowInfo, RunManifest, get_protocol

HEADER = "method,variant,dataset,image,scale,seed,metric,value,unit_status,signature,origin,source,seconds\n"
GOOD = HEADER + (
    "NA,-,Set5,007,4,0,psnr,inf,ok,psnr|rgb,o1,h1,0.5\n"
    "NA,-,Set5,nan,4,0,psnr,,failed,psnr|rgb,o1,h2,\n"
    '"a,b",lite,"Größe 1",null,3.6,1,psnr,30.25,ok,psnr|rgb,o2,h3,1\n'
)


def plan(cell: CellId, origin: str, images: str) -> CellPlan:
    """A cell of which PSNR and NIQE were asked for."""
    return CellPlan(
        cell=cell,
        folder="f",
        pair="p",
        origin=origin,
        images=images,
        metrics=("psnr", "niqe"),
        signatures={"psnr|rgb": "psnr"},
    )


MANIFEST = RunManifest(
    request={"metrics": ["psnr"]},
    rows=(RowInfo(method="a,b", variant="lite", display="A|B (lite)", minimised=("lpips",)),),
    origins={name: Origin(id=name, code="c", code_name="m") for name in ("o1", "o2")},
    sets={"s1": ImageSet("Set5", {"007": "h1", "nan": "h2"}), "s2": ImageSet("Größe 1", {"null": "h3"})},
    cells=(
        plan(CellId("NA", "", "Set5", 4.0, 0), "o1", "s1"),
        plan(CellId("a,b", "lite", "Größe 1", 3.6, 1), "o2", "s2"),
    ),
    unavailable={"niqe": "no file"},
    protocols={"psnr|rgb": ("sample", "casr"), "ssim|rgb": ("sample",)},
    made_under=(get_protocol("liif-benchmark"), replace(get_protocol("face-kim"), lr_given=True, name="mine")),
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of a run folder without its records and images."""
    (tmp_path / "records.csv").write_text(GOOD, encoding="utf-8")
    (tmp_path / "run.json").write_text(MANIFEST.to_json(), encoding="utf-8")
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
    assert frames.row("a,b", "lite").display == "A|B (lite)"
    assert frames.row("a,b", "lite").minimised == ("lpips",)
    assert frames.protocols["psnr|rgb"] == ("sample", "casr")
    assert frames.protocols["ssim|rgb"] == ("sample",)
    assert set(frames.summary["note"]) == {"1/2", "", "unavailable: no file"}


def test_run_json_comes_back_as_it_was(run):
    assert RunManifest.from_json((run / "run.json").read_bytes(), "run.json") == MANIFEST


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("run.json", "{", "run.json is damaged"),
        ("run.json", "[]", "run.json is damaged"),
        ("run.json", "{}", "it says no version"),
        ("run.json", "[" * 100_000, "run.json is damaged"),
        ("run.json", '{"version": 2, "cells": 3}', "cells"),
        ("run.json", '{"version": 2, "protocols": []}', "protocols"),
        ("run.json", '{"version": 2, "warnings": {"a": 3}}', "warnings"),
        ("run.json", '{"version": 2, "cells": [{"method": "m"}]}', "cells"),
        ("run.json", '{"version": 9}', "later version"),
        ("run.json", '{"version": 1, "request": {"command": "bench run x"}}', "type its command again.*bench run x"),
        ("records.csv", "", "records.csv cannot be read"),
        ("records.csv", "a,b\n1,2\n", "no column method"),
        ("records.csv", HEADER + "m,-,d,i,four,0,psnr,1,ok,s,o,h,\n", "line 2: 'four' is not a scale"),
        ("records.csv", HEADER + "m,-,d,i,4,0,psnr,1x,ok,s,o,h,\n", "line 2: '1x' is not a value"),
        ("records.csv", HEADER + "m,-,d,i,4,0,psnr,1,fine,s,o,h,\n", "unknown unit_status 'fine'"),
        *(
            ("records.csv", HEADER + f"m,-,d,i,4,{seed},psnr,1,ok,s,o,h,\n", f"seed: expected a whole number.*'{seed}'")
            for seed in ("inf", "1e30", "0.5", "-1")
        ),
        (
            "records.csv",
            HEADER + "m,-,d,i,4,0,psnr,1,ok,s,o,h,\nm,-,d,i,4,0,psnr,2,ok,s,o,h,\n",
            "line 3: another number of an earlier line",
        ),
        ("records", "", "expected the folder of the run's records, got a file"),
        ("records.csv", HEADER + 'm,-,d,"i,4,0,psnr,1,ok,s,o,h,\n', "records.csv"),
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
    protocols = named_protocols({"selfssim|rgb|ref:column|shave:0|v1": ["sample"], "psnr|rgb|v1": ["sample", "casr"]})
    assert protocols["selfssim|rgb|shave:0|v1"] == ("sample",)
    assert protocols["selfssim|rgb|ref:column|shave:0|v1"] == ("sample",)
    assert protocols["psnr|rgb|v1"] == ("sample", "casr")


def test_a_run_says_which_metrics_its_rows_were_trained_to_minimise(run: Path) -> None:
    """Catches an audit that knows the training of papers and of shipped weights only, not of the run's own rows."""
    rows = tuple(replace(row, minimised=("psnr",)) for row in MANIFEST.rows)
    (run / "run.json").write_text(replace(MANIFEST, rows=rows).to_json(), encoding="utf-8")
    (finding,) = audit("a run", read_evidence(str(run)), only=["minimised"]).findings
    assert (finding.severity, finding.where) == (Severity.NOTE, "Größe 1, psnr")
    assert finding.message == "A|B (lite) was trained to minimise psnr"
