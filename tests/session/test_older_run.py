"""A run folder of the time when scales were floats: it is read, and counts as done, to the last byte.

`older_run/` was written before scales could be pairs, with the hashes of code replaced by fixed words (code changes;
what is held here is how a scale enters keys, records, file names and exports).
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

import bench
from bench.engine import keys, origin

OLDER = Path(__file__).parent / "older_run"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the run and its photographs, as the current folder."""
    shutil.copytree(OLDER, tmp_path / "older")
    monkeypatch.chdir(tmp_path / "older")
    for module in (keys, origin):
        monkeypatch.setattr(module, "pair_code_hash", lambda: "pair-code-of-a-test")
        monkeypatch.setattr(module, "method_code_hash", lambda spec: f"code-of-{spec.info.name}")
    return tmp_path / "older"


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    """Relative path -> bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def again(scales: str) -> bench.Run:
    """The command of the folder, with these scales."""
    return bench.run(
        methods="bicubic,nearest",
        scales=scales,
        datasets="Photos",
        protocol="basicsr-y",
        metrics="psnr,ssim,selfssim",
        out="run",
        workers=0,
    )


def test_scales_as_floats_and_as_decimals_make_the_same_keys_and_files(folder: Path) -> None:
    """Wrong: keys or records that hold the printed text ("2") where they held the number (2.0)."""
    before = {kind: contents(folder / "run" / kind, "*.*") for kind in ("records", "images")}
    done = again("2.0,3.600").result
    assert done is not None
    assert (done.tally.inferred, done.tally.scored) == (0, 0)
    assert {kind: contents(folder / "run" / kind, "*.*") for kind in ("records", "images")} == before


@pytest.mark.parametrize("name", ["records.csv", "summary.csv"])
def test_exports_of_scales_of_one_factor_are_unchanged(folder: Path, name: str) -> None:
    """Wrong: a column of objects, which would print 2 instead of 2.0, or sort texts."""
    again("2,3.6")
    older, newer = (
        list(csv.DictReader((place / "run" / name).read_text(encoding="utf-8").splitlines()))
        for place in (OLDER, folder)
    )
    assert [{column: row[column] for column in older[0]} for row in newer] == older


def test_a_pair_beside_them_leaves_their_rows_as_they_are(folder: Path) -> None:
    """Wrong: a pair in the column of scales that turns the other scales into other values or other records."""
    before = contents(folder / "run" / "records", "x[23]*-s0.jsonl")
    done = again("2,3.6,1.5x2").result
    assert done is not None
    assert done.tally.inferred == 4
    after = contents(folder / "run" / "records", "x[23]*-s0.jsonl")
    assert {name: text[: len(before[name])] for name, text in after.items()} == before
    stored = json.loads(
        (folder / "run" / "records" / "bicubic" / "Photos" / "x1.5x2-s0.jsonl").read_text().split("\n")[0]
    )
    assert stored["cell"]["scale"] == "1.5x2"
    rows = list(csv.DictReader((folder / "run" / "records.csv").read_text(encoding="utf-8").splitlines()))
    older = list(csv.DictReader((OLDER / "run" / "records.csv").read_text(encoding="utf-8").splitlines()))
    assert [row for row in rows if "1.5x2" not in (row["scale"], row["metric"].partition("@")[2])] == older
