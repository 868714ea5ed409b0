"""Run folders in trouble: in the way, full, damaged, in use. Nothing finished is lost, no file is half-written."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from bench.imaging import write_png
from tests.cli.conftest import untimed

RUN = ("run", "--methods", "bicubic", "--datasets", "Photos", "--scales", 2, "--metrics", "psnr", "--out", "run")
HERE = ("--workers", 0)


@pytest.fixture
def finished(bench: Callable, photos: Path, newcomer: Path) -> Path:
    """A run folder with one finished run in it."""
    assert bench(*RUN, *HERE).code == 0
    return newcomer / "run"


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_a_second_run_into_a_folder_in_use_is_refused(process: Callable, bench: Callable, finished: Path) -> None:
    before = contents(finished)
    with FileLock(finished / ".lock"):
        done = process(*RUN)
    assert (done.code, done.out) == (2, "")
    assert "another run is writing to run" in done.err
    assert "--out" in done.err
    assert contents(finished) == before
    assert bench(*RUN, *HERE).code == 0


@pytest.mark.parametrize("name", ["records", "images"])
def test_a_file_in_the_way_of_a_folder_is_named(name: str, bench: Callable, photos: Path, newcomer: Path) -> None:
    (newcomer / "run").mkdir()
    (newcomer / "run" / name).write_text("in the way")
    done = bench(*RUN, *HERE)
    assert done.code == (2 if name == "records" else 1)
    assert f"run/{name}" in done.err
    assert (newcomer / "run" / name).read_text() == "in the way"
    (newcomer / "run" / name).unlink()
    assert bench(*RUN, *HERE).code == 0


@pytest.mark.parametrize("name", ["run.json", "records.csv", "table.md"])
def test_a_folder_in_the_way_of_a_file_is_named(name: str, bench: Callable, photos: Path, newcomer: Path) -> None:
    (newcomer / "run" / name).mkdir(parents=True)
    done = bench(*RUN, *HERE)
    assert done.code == 2
    assert f"run/{name}" in done.err
    assert not list((newcomer / "run").rglob("*.part"))


@pytest.mark.parametrize("limit", [300, 4000])
def test_a_full_disk_ends_the_run_with_a_sentence_and_keeps_what_was_there(
    limit: int, process: Callable, bench: Callable, finished: Path
) -> None:
    before = contents(finished)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = process(*RUN, "--scales", "2,3", "--methods", "bicubic,nearest", "--workers", 1, preexec=small_files_only)
    assert done.code in (1, 2)
    assert "File too large" in done.err
    after = contents(finished)
    records = [name for name in before if name.startswith(("records/", "images/"))]
    assert {name: after[name] for name in records} == {name: before[name] for name in records}
    assert not [name for name in after if name.endswith(".part")]
    json.loads(after["run.json"])
    again = bench(*RUN, "--scales", "2,3", "--methods", "bicubic,nearest", *HERE)
    assert again.code == 0
    assert "(0 were there)" not in again.out


@pytest.mark.parametrize("damage", ["not json\n", "[]\n", "{}\n", '{"cell":3}\n', "\x00\x00\x00\n", "\xff\xfe\n"])
def test_a_damaged_record_file_is_refused_with_its_line(damage: str, bench: Callable, finished: Path) -> None:
    path = finished / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + damage.encode("latin-1") + b"".join(lines[1:]))
    before = contents(finished)
    done = bench(*RUN, *HERE)
    assert (done.code, done.out) == (2, "")
    assert f"{path.relative_to(finished.parent)}, line 2" in done.err
    assert "delete that line" in done.err
    assert contents(finished) == before
    path.write_bytes(b"".join(lines))
    assert "no inference was needed" in bench(*RUN, *HERE).out


def test_a_torn_last_line_costs_one_image_only(bench: Callable, finished: Path) -> None:
    path = finished / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    whole, table = path.read_bytes(), untimed(finished / "records.csv")
    path.write_bytes(whole[:-40])
    done = bench(*RUN, *HERE)
    assert done.code == 0
    assert "computed 1 image (2 were there)" in done.out
    assert len(path.read_bytes().splitlines()) == 3
    assert untimed(finished / "records.csv") == table


@pytest.mark.parametrize("damage", ["", "{", "[]", "7", '{"expected": 3}', '{"warnings": []}', '{"signatures": 1}'])
def test_a_damaged_run_json_is_refused_and_moving_it_away_is_enough(
    damage: str, bench: Callable, finished: Path
) -> None:
    table = untimed(finished / "records.csv")
    (finished / "run.json").write_text(damage)
    done = bench(*RUN, *HERE)
    assert (done.code, done.out) == (2, "")
    assert "run/run.json is damaged" in done.err
    assert "move it away" in done.err
    assert (finished / "run.json").read_text() == damage
    (finished / "run.json").unlink()
    done = bench(*RUN, *HERE)
    assert done.code == 0
    assert "no inference was needed" in done.out
    assert untimed(finished / "records.csv") == table


def test_a_result_file_that_was_damaged_is_computed_again_when_it_is_needed(bench: Callable, finished: Path) -> None:
    image = finished / "images" / "bicubic" / "Photos" / "x2-s0" / "p1.png"
    whole = image.read_bytes()
    image.write_bytes(whole[:100])
    done = bench(*RUN, *HERE, "--metrics", "psnr,ssim")
    assert done.code == 0
    assert "computed 1 image" in done.out
    assert image.read_bytes() == whole


def test_two_requests_in_one_folder_keep_each_others_numbers(bench: Callable, finished: Path, photos: Path) -> None:
    first = (finished / "records.csv").read_text().splitlines()
    write_png(photos / "p9.png", np.full((48, 64, 3), 90, np.uint8))
    assert bench(*RUN, *HERE, "--methods", "nearest", "--scales", 3).code == 0
    assert set(first) <= set((finished / "records.csv").read_text().splitlines())
