"""JSON of the right syntax and the wrong content in a run folder: one kind of answer, naming file, place and way on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import load_run
from bench.api import CellId, Protocol, RequestError, RunManifest
from bench.engine.folder import CellFolder, read_units
from bench.engine.request import RunRequest
from bench.engine.run import execute
from bench.session.config import make_config
from bench.session.merging import merge_folders

Build = Callable[..., RunRequest]
ODD: dict[str, Any] = {
    "true": True,
    "number": -3,
    "huge": 1e308,
    "text": "x",
    "nul": "\0",
    "long": "a" * 5000,
    "up": "../../x",
    "list": [1],
    "object": {"a": 1},
    "null": None,
}


@pytest.fixture
def ran(make_request: Build) -> RunRequest:
    """A run of two scales with a number across them."""
    request = make_request(scales=(2.0, 3.0), metrics=("psnr", "selfssim"), limit=1)
    execute(request)
    return request


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where values lie in a document; of a list its first item."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*at, key))


def put(document: Any, at: tuple[str | int, ...], value: Any) -> Any:
    """A copy of a document with another value at a place."""
    if not at:
        return value
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return copy


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_run_json_of_any_content_is_read_or_refused_by_name(ran: RunRequest, odd: Any) -> None:
    """Catches a traceback far from the file, and `true` that is read as 1."""
    path = ran.out / "run.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for at in places(whole):
        text = json.dumps(put(whole, at, odd))
        fault = refusal(lambda text=text: RunManifest.from_json(text, str(path)))
        assert fault is None or str(path) in fault, at
        assert fault is not None or odd is not True or at[0] in _FREE or at[-1] in _TRUTHS, at


_FREE = ("request", "environment", "merged")
"""Parts of run.json that hold whatever was typed or found."""
_TRUTHS = [knob.name for knob in fields(Protocol) if isinstance(knob.default, bool)]


def refusal(read: Callable[[], object]) -> str | None:
    """What a reader refuses with; None where it reads."""
    try:
        read()
    except RequestError as fault:
        return str(fault)
    return None


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_run_json_of_texts_that_mean_nothing_gives_a_table_or_an_error_for_people(ran: RunRequest, odd: Any) -> None:
    """Catches a reader of signatures, names or folders that trusts what the types allow."""
    path = ran.out / "run.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for at in places(whole["cells"][0]):
        path.write_text(json.dumps(put(whole, ("cells", 0, *at), odd)), encoding="utf-8")
        fault = refusal(lambda: load_run(ran.out).summary)
        assert fault is None or str(ran.out) in fault, at


def test_a_record_of_any_content_is_a_named_line(ran: RunRequest) -> None:
    """Catches a value of another type that is handed on, and a path that leads out of the folder."""
    path = next((ran.out / "records").rglob("x2-s0.jsonl"))
    line = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    del line["check"]
    where = CellFolder(CellId("bicubic", "", "Photos", 2.0, 0), "bicubic")
    for at in places(line):
        for name, odd in ODD.items():
            path.write_text(json.dumps(put(line, at, odd)) + "\n", encoding="utf-8")
            fault = refusal(lambda: read_units(path, where))
            if fault is None:
                fault = refusal(lambda: load_run(ran.out).summary)
            assert fault is None or f"{path}, line 1" in fault, (at, name)


@pytest.mark.parametrize("name", ["run.json", "records/bicubic/Photos/x2-s0.jsonl"])
@pytest.mark.parametrize("kind", ["folder", "deep", "empty", "bytes"])
def test_a_file_of_any_kind_is_refused_by_name(make_request: Build, ran: RunRequest, name: str, kind: str) -> None:
    """Catches a traceback for a folder, for nesting 100,000 deep, for no byte at all and for no text."""
    path = ran.out / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        path.write_bytes({"deep": b"[" * 100_000 + b"]" * 100_000 + b"\n", "empty": b"", "bytes": b"\xff\0\n"}[kind])
    for read in (lambda: load_run(ran.out), lambda: execute(make_request(scales=(2.0,), limit=1))):
        if (kind, path.suffix) == ("empty", ".jsonl"):
            read()  # no records is what a run begins with
            continue
        with pytest.raises(RequestError) as fault:
            read()
        assert str(path) in str(fault.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", "7", "null", "[" * 100_000, '{"format": 3}', "\0", "folder"])
def test_damaged_draws_are_refused_by_name_by_runs_and_merges(make_request: Build, tmp_path: Path, text: str) -> None:
    """Catches a traceback of a run or a merge, and a merge that has written half of its folder by then."""
    from dataclasses import replace

    from bench.api import get_protocol

    protocol = replace(get_protocol("sample"), degradation="blind-assr")

    def request(name: str) -> RunRequest:
        return replace(make_request(limit=1, out=tmp_path / name), protocol=protocol)

    execute(request("a"))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (path,) = (tmp_path / "a" / "degradations").rglob("*.json")
    path.unlink()
    if text == "folder":
        path.mkdir()
    else:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=r"Photos-s0\.json: .*put the original back"):
        execute(request("a"))
    with pytest.raises(RequestError, match=r"Photos-s0\.json: .*put the original back"):
        merge_folders([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_records_of_a_later_version_get_one_sentence(ran: RunRequest) -> None:
    """Catches "delete that line" for every line that an upgrade would read."""
    path = next((ran.out / "records").rglob("x2-s0.jsonl"))
    line = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    later = {**line, "image": {"id": "photo 0"}, "kind": "tile"}
    path.write_text((json.dumps(later) + "\n") * 5, encoding="utf-8")
    with pytest.raises(RequestError, match=r"5 of 5 records were written by a later version.*'kind'.*upgrade") as fault:
        load_run(ran.out)
    assert "delete" not in str(fault.value)


def test_damaged_lines_are_said_at_once(ran: RunRequest) -> None:
    """Catches a user who is asked to delete one line after another."""
    path = next((ran.out / "records").rglob("x2-s0.jsonl"))
    path.write_text("x\n" * 3 + path.read_text(encoding="utf-8") + "{}\n", encoding="utf-8")
    with pytest.raises(RequestError, match=r"line 1: .*\(and 3 more, the last is line \d+\).*delete these lines"):
        load_run(ran.out)


@pytest.mark.parametrize(("old", "new"), [('"value":', '"value":1'), ("|rgb|", "|y601|"), ('"psnr"', '"ssim"')])
def test_a_number_that_was_changed_is_not_believed(make_request: Build, ran: RunRequest, old: str, new: str) -> None:
    """Catches another value, signature or metric in a line that is read as if it had been measured."""
    path = next((ran.out / "records").rglob("x2-s0.jsonl"))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RequestError, match=r"line 1: .*check sum does not fit"):
        load_run(ran.out)


@pytest.mark.parametrize(("old", "new"), [("|rgb|", "|y601|"), ('"psnr"', '"ssim"')])
def test_a_number_under_another_name_is_made_again_in_folders_without_check_sums(
    make_request: Build, ran: RunRequest, old: str, new: str
) -> None:
    """Catches a cell that stays incomplete for good, and a number that stands under a name that it is not of."""
    path = next((ran.out / "records").rglob("x2-s0.jsonl"))
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["check"]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = execute(make_request(scales=(2.0, 3.0), metrics=("psnr", "selfssim"), limit=1))
    assert (result.tally.inferred, result.tally.scored) == (0, 1)
    assert {row.metric for row in result.rows.rows} == {"psnr", "selfssim@2", "selfssim@3"}
    assert all(row.value is not None for row in result.rows.rows)


@pytest.mark.parametrize("seeds", ["99999999999999999999", "9" * 5000, "-1", "0,1e3", "0x1", "1.0"])
def test_seeds_that_nothing_can_be_drawn_with_are_refused_before_work(seeds: str) -> None:
    """Catches an OverflowError after all work, in a folder that stays unusable."""
    with pytest.raises(RequestError, match="--seeds"):
        make_config({"methods": "bicubic", "scales": "2", "seeds": seeds})
