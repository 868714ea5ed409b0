"""The run folder: what a lenient reader, a second writer or a full disk would lose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bench.api import CellId, Output, Record, RequestError, RunManifest, Score, UnitStatus
from bench.engine.folder import CellFolder, StoredUnit, read_units
from bench.engine.store import Store

CELL = CellId("bicubic", "", "Set5", 4.0, 0)
WHERE = CellFolder(CELL, "bicubic")


def make_record(image: str = "baby", key: str = "k1", *scores: Score) -> Record:
    output = Output(key, f"images/bicubic/Set5/x4-s0/{image}.png", "ab", (8, 9), 8, "cd", seconds=0.5)
    return Record(CELL, image, UnitStatus.OK, output, scores, pair="p1", origin="o1", source="h1")


def psnr(value: float | None, key: str = "s1") -> Score:
    return Score("psnr", value, "psnr|rgb|v1", key, "" if value is not None else "no reason")


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        record = make_record("ü b", "k1", psnr(31.25), psnr(float("inf"), "s2"), psnr(None, "s3"))
        store.append(WHERE, record)
        assert read_units(store.records_path(WHERE), WHERE) == [StoredUnit.of(record)]
    assert store.records_path(WHERE).relative_to(tmp_path).as_posix() == "records/bicubic/Set5/x4-s0.jsonl"


def test_a_torn_last_line_is_ignored_and_the_next_line_stays_whole(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(WHERE, make_record("a"))
        path = store.records_path(WHERE)
    with path.open("ab") as stream:
        stream.write(b'{"cell": {"method"')
    with Store(tmp_path) as store:
        assert [unit.image for unit in read_units(path, WHERE)] == ["a"]
        store.append(WHERE, make_record("b"))
        assert [unit.image for unit in read_units(path, WHERE)] == ["a", "b"]


def test_a_damaged_line_in_the_middle_is_named_and_not_skipped(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(WHERE, make_record("a"))
        path = store.records_path(WHERE)
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    with Store(tmp_path) as store, pytest.raises(RequestError, match=r"x4-s0\.jsonl, line 1: expected a record, seen"):
        store.units(WHERE)


@pytest.mark.parametrize(
    "line", [b"{}", b"[]", b'{"cell": 3}', b"\xff\xfe", b"[" * 100_000, b"null", b'"images/a.png"', b"{" * 5000]
)
def test_every_kind_of_wrong_line_is_an_error_for_people(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(RequestError, match="line 1"):
        read_units(path, WHERE)


def test_scores_of_one_output_add_up_and_a_new_output_starts_afresh(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(WHERE, make_record("a", "k1", psnr(30.0, "s1")))
        store.append(WHERE, make_record("a", "k1", Score("ssim", 0.9, "ssim|v1", "s2")))
        assert set(store.units(WHERE)["a", "p1"].scores) == {"s1", "s2"}
        store.append(WHERE, make_record("a", "k2", psnr(31.0, "s3")))
        assert set(store.units(WHERE)["a", "p1"].scores) == {"s3"}


def test_two_ways_of_making_lr_do_not_overwrite_each_other(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        first = store.image_path(WHERE, "a", "p" * 16, set())
        second = store.image_path(WHERE, "a", "q" * 16, {"p" * 16})
    assert first.as_posix() == "images/bicubic/Set5/x4-s0/a.png"
    assert second.as_posix() == "images/bicubic/Set5/x4-s0~qqqqqqqq/a.png"


def test_a_failure_is_stored_but_never_taken_for_a_result(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(WHERE, Record(CELL, "a", UnitStatus.FAILED, error="boom", pair="p1"))
        unit = store.units(WHERE)["a", "p1"]
    assert (unit.status, unit.output, unit.scores, unit.error) == (UnitStatus.FAILED, None, {}, "boom")


def test_the_second_run_into_a_folder_is_refused(tmp_path: Path) -> None:
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from bench.api import RequestError
        from bench.engine.store import Store
        try:
            Store(Path({str(tmp_path)!r}))
        except RequestError as fault:
            print(fault)
            sys.exit(2)
    """)
    with Store(tmp_path):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "another run is writing" in done.stdout
    with Store(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError, match="cannot write to the run folder"):
        Store(tmp_path / "file" / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_keeps_what_was_written(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(WHERE, make_record("a"))
        path = store.records_path(WHERE)
        real = store._streams[path]
        store._streams[path] = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
        with pytest.raises(RequestError, match=r"No space left.*type the same command again"):
            store.append(WHERE, make_record("b"))
        store._streams[path].close()
        store._streams[path] = real
        assert [unit.image for unit in read_units(path, WHERE)] == ["a"]


def test_run_json_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path) as store:
        store.write_manifest(RunManifest(command="first"))

        def refuse(*_: object) -> None:
            raise OSError("no rename")

        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(RequestError, match="no rename"):
            store.write_manifest(RunManifest(command="second"))
        monkeypatch.undo()
        assert store.manifest() == RunManifest(command="first")
        assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "run.json"]


def test_a_damaged_run_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with Store(tmp_path) as store, pytest.raises(RequestError, match=r"run\.json is damaged"):
        store.manifest()


FIELDS = [
    ("image", 3),
    ("status", "good"),
    ("pair", None),
    ("scores", {}),
    ("scores", [{"metric": "psnr", "value": True, "signature": "s", "key": "k"}]),
    ("scores", [{"metric": 5, "value": 1.0, "signature": "s", "key": "k"}]),
    ("cell", {"method": "bicubic", "variant": "", "dataset": "Set5", "scale": "4", "seed": 0}),
    ("output", {"key": "k", "path": "/etc/passwd", "sha256": "s", "size": [1, 2], "depth": 8, "lr_sha256": ""}),
    ("output", {"key": "k", "path": "images/../x.png", "sha256": "s", "size": [1, 2], "depth": 8, "lr_sha256": ""}),
    ("output", {"key": "k", "path": "images/x\0.png", "sha256": "s", "size": [1, 2], "depth": 8, "lr_sha256": ""}),
    (
        "output",
        {"key": "k", "path": "images/" + "x" * 5000, "sha256": "s", "size": [1, 2], "depth": 8, "lr_sha256": ""},
    ),
    ("output", {"key": "k", "path": "images/x.png", "sha256": "s", "size": [1], "depth": 8, "lr_sha256": ""}),
    ("output", {"key": "k", "path": "images/x.png", "sha256": "s", "size": [1, 2], "depth": "8", "lr_sha256": ""}),
]


@pytest.mark.parametrize(("field", "value"), FIELDS, ids=[str(i) for i in range(len(FIELDS))])
def test_a_field_of_another_kind_is_a_named_line(tmp_path: Path, field: str, value: object) -> None:
    """Catches a reader that hands on whatever JSON holds, up to a traceback far from the file."""
    values = {**json.loads(make_record("a", "k1", psnr(30.0)).to_json()), field: value}
    path = tmp_path / "x4-s0.jsonl"
    path.write_text(json.dumps(values) + "\n")
    with pytest.raises(RequestError, match="line 1: expected a record"):
        read_units(path, WHERE)


def test_a_record_of_a_newer_version_is_read(tmp_path: Path) -> None:
    """Catches "delete that line" for a key that a later version added."""
    record = make_record("a", "k1", psnr(30.0))
    path = tmp_path / "x4-s0.jsonl"
    path.write_text(json.dumps({**json.loads(record.to_json()), "later": 1}) + "\n")
    assert read_units(path, WHERE) == [StoredUnit.of(record)]
