"""Parquet tables: the CSV files' content with its types, and a clear word where nothing can write them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench
from bench.analysis import Selection
from bench.api import RequestError
from bench.export import export_run
from tests.export.conftest import change_image

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (pip install '.[export]')")


def test_it_holds_what_the_run_holds(finished: Path, tmp_path: Path) -> None:
    """Catches rows that are lost or averaged, numbers that went through text, and an index column."""
    export_run([finished], "parquet", tmp_path)
    run = bench.load(finished)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "records.parquet"), run.records, check_dtype=False)
    summary = pd.read_parquet(tmp_path / "summary.parquet")
    pd.testing.assert_frame_equal(summary, run.summary, check_dtype=False)
    assert set(summary["doubt"]) == {""}


def test_columns_are_typed_and_what_is_missing_is_null(run_folder: Path, tmp_path: Path) -> None:
    """Catches a missing mean as NaN, which a reader averages away, and a column that is typed by its content."""
    change_image(run_folder, lambda record: None)
    export_run([run_folder], "parquet", tmp_path / "out")
    records = pq.read_table(tmp_path / "out" / "records.parquet")
    summary = pq.read_table(tmp_path / "out" / "summary.parquet")
    types = {field.name: str(field.type) for field in [*records.schema, *summary.schema]}
    assert {types[name] for name in ("scale", "value", "seconds", "mean", "seed_sd")} == {"double"}
    assert {types[name] for name in ("seed", "n", "expected", "failed", "seeds")} == {"int64"}
    assert {types[name] for name in ("method", "variant", "unit_status", "signature", "note", "doubt")} == {"string"}
    rows = [row for row in summary.to_pylist() if (row["method"], row["scale"]) == ("bicubic", 2.0)]
    psnr = next(row for row in rows if row["metric"] == "psnr")
    assert psnr["mean"] is None
    assert (psnr["n"], psnr["expected"], psnr["note"]) == (2, 3, "2/3")


def test_signatures_come_with_the_names_of_their_protocols(finished: Path, tmp_path: Path) -> None:
    """Catches a file that says how a number was made and not under which name."""
    export_run([finished], "parquet", tmp_path)
    metadata: dict[bytes, bytes] = pq.read_schema(tmp_path / "records.parquet").metadata
    protocols = json.loads(metadata[b"assr-bench"])["protocols"]
    signatures = set(pd.read_parquet(tmp_path / "records.parquet")["signature"])
    assert signatures <= set(protocols)
    assert {tuple(names) for names in protocols.values()} == {("sample",)}


def test_without_pyarrow_it_says_what_to_install(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a traceback of pandas' import, after the work."""
    real = importlib.util.find_spec

    def hide(name: str, *rest: Any) -> Any:
        return None if name == "pyarrow" else real(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", hide)
    with pytest.raises(RequestError, match=r"pip install 'assr-bench\[export\]'"):
        export_run([finished], "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_part_of_a_run_is_no_parquet(finished: Path, tmp_path: Path) -> None:
    """Catches a filter that is passed over in silence."""
    with pytest.raises(RequestError, match="holds all of a run"):
        export_run([finished], "parquet", tmp_path, selection=Selection(metrics=("psnr",)))
