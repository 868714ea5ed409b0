"""Lines of a record file that are read without their cell: what a quicker reader would let through."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bench.api import RECORD_COLUMNS, CellId, Output, Record, RecordRow, RequestError, Score, UnitStatus
from bench.engine.folder import CellFolder, StoredUnit, read_units

CELL = CellId("bicubic", "lite", "Set5", 4.0, 0)
WHERE = CellFolder(CELL, "bicubic")


def make_record(image: str = "baby", **values: Any) -> Record:
    output = Output("k" * 32, f"images/bicubic/Set5/x4-s0/{image}.png", "ab", (8, 9), 8, "cd", seconds=0.5)
    scores = (Score("psnr", 31.25, "psnr|rgb|v1", "s1"), Score("ssim", None, "ssim|rgb|v1", "", "too small"))
    return Record(CELL, image, UnitStatus.OK, output, scores, pair="p1", origin="o1", source="h1", **values)


def sealed(values: Any, **style: Any) -> bytes:
    """A line whose check sum fits, whatever it says: what somebody writes who knows how."""
    text = json.dumps({key: value for key, value in values.items() if key != "check"}, **style)[:-1].encode()
    return text + b',"check":"%08x"}' % zlib.crc32(text)


def canonical(values: Any) -> bytes:
    return sealed(values, ensure_ascii=False, separators=(",", ":"))


def read_line(tmp_path: Path, line: bytes) -> StoredUnit | None:
    """What a file of this one line gives; None where it is refused by name and number."""
    path = tmp_path / "x4-s0.jsonl"
    path.write_bytes(line + b"\n")
    units: list[StoredUnit] = []
    with suppress(RequestError):
        units = read_units(path, WHERE)
    if units:
        return units[0]
    with pytest.raises(RequestError, match=re.escape(f"{path}, line 1")):
        read_units(path, WHERE)
    return None


def values_of(record: Record) -> dict[str, Any]:
    return json.loads(record.to_json())


def without_check(line: bytes) -> bytes:
    """The same line as an older version wrote it, which is read whole."""
    values = json.loads(line)
    del values["check"]
    return json.dumps(values).encode()


ODD = (None, True, 3, -1, 1.5, "x", "", [], {}, [1, 2, 3], {"a": 1}, 10**30, "../../evil", "images/../x.png", "inf")


def places(values: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield (*at, key)
        yield from places(value, (*at, key))


def put(values: Any, at: tuple[str | int, ...], odd: Any) -> Any:
    whole = json.loads(json.dumps(values))
    spot = whole
    for key in at[:-1]:
        spot = spot[key]
    spot[at[-1]] = odd
    return whole


def test_every_field_of_another_kind_is_read_as_the_whole_line_is(tmp_path: Path) -> None:
    """Catches a quick reader that believes a wrong type, a path elsewhere or another cell because the sum fits."""
    values = values_of(make_record())
    refused = 0
    for at in places({key: value for key, value in values.items() if key != "check"}):
        for odd in ODD:
            line = canonical(put(values, at, odd))
            quick, whole = read_line(tmp_path, line), read_line(tmp_path, without_check(line))
            assert quick == whole, (at, odd)
            refused += quick is None
    assert refused > 200


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"scale":4.0', b'"scale":2.0'),
        lambda line: line[:-3] + b'0"}',
        lambda line: line.replace(b"31.25", b"33.25"),
        lambda line: line.replace(b"baby.png", b"bird.png"),
        lambda line: line[: len(line) // 2],
        lambda line: line + line,
    ],
)
def test_a_changed_line_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """Catches a reader that looks at the beginning of a line, and at its check sum only where it reads the cell."""
    line = make_record().to_json().encode()
    assert read_line(tmp_path, line) is not None
    changed = change(line)
    assert changed != line
    assert read_line(tmp_path, changed) is None


@pytest.mark.parametrize("key", ["cell", "\\u0063ell"])
def test_a_second_cell_in_a_line_counts(tmp_path: Path, key: str) -> None:
    """Catches a reader that knows a line's cell by how it begins, while JSON goes by what stands last."""
    values = values_of(make_record())
    text = canonical(values)
    other = json.dumps({"method": "liif", "variant": "", "dataset": "Set5", "scale": 4.0, "seed": 0}).encode()
    body = text[: text.rindex(b',"check"')] + f',"{key}":'.encode() + other
    line = body + b',"check":"%08x"}' % zlib.crc32(body)
    assert Record.from_json(line).cell.method == "liif"
    assert read_line(tmp_path, line) is None


def test_lines_of_other_writers_are_read_alike(tmp_path: Path) -> None:
    """Catches a reader that knows one order of keys and one way of spacing only, or no sign beyond ASCII."""
    for image in ("baby", 'a "b" c', "ü~", "cell", "back\\slash", "tab\there", "\U0001f426"):
        record = make_record(image, error='a "cell" of {braces}')
        values = values_of(record)
        backwards = dict(reversed(values.items()))
        for line in (record.to_json().encode(), canonical(values), sealed(values), sealed(backwards)):
            assert read_line(tmp_path, line) == StoredUnit.of(record), line


def test_bytes_changed_at_random_are_read_as_the_whole_line_is(tmp_path: Path) -> None:
    """Catches a grammar of one's own that lets through what is no JSON; 400 lines whose sums fit."""
    rng = random.Random(8)
    line = make_record().to_json().encode()
    body = line[: line.rindex(b',"check"')]
    for _ in range(400):
        spot = rng.randrange(len(body))
        changed = body[:spot] + bytes([rng.randrange(256)]) + body[spot + rng.randrange(2) :]
        changed = changed.replace(b"\n", b" ")
        quick = read_line(tmp_path, changed + b',"check":"%08x"}' % zlib.crc32(changed))
        assert quick == read_line(tmp_path, changed + b"}"), changed


def test_rows_have_the_columns_of_the_file() -> None:
    """Catches a field of a row in another place than its column: rows are tuples, and columns are cut from them."""
    assert RecordRow._fields == RECORD_COLUMNS
