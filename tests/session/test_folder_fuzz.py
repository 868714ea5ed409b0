"""Random accidents of a run folder: afterwards its records are those of a quiet run, or a refusal names the file."""

from __future__ import annotations

import os
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.api import RequestError
from bench.engine.store import Store
from bench.imaging import atomic
from bench.session import Run
from tests.session.conftest import write_photos

Call = Callable[..., Run]
SEQUENCES = 16
REQUEST = {"methods": "bicubic,nearest", "scales": (2, 3), "metrics": ("psnr", "selfssim")}


def files(out: Path) -> list[Path]:
    """What an accident may hit: everything but the exports, which are made from the rest."""
    kinds = ("*.json", "*.jsonl", "*.png")
    return sorted(path for kind in kinds for path in out.rglob(kind) if path.is_file())


def truncate(out: Path, rng: random.Random, _: Callable[[], None]) -> None:
    path = rng.choice(files(out))
    with path.open("rb+") as stream:
        stream.truncate(rng.randrange(path.stat().st_size + 1))


def garble(out: Path, rng: random.Random, _: Callable[[], None]) -> None:
    path = rng.choice(files(out))
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data) + 1)
    for place in range(start, min(len(data), start + rng.choice([1, 1, 4, 60]))):
        data[place] = rng.randrange(256)
    path.write_bytes(data)


def change_a_value(out: Path, rng: random.Random, _: Callable[[], None]) -> None:
    """The garbling that no syntax tells: one digit of a number for another."""
    chosen = [path for path in files(out) if path.suffix == ".jsonl"]
    path = rng.choice(chosen) if chosen else None
    found = [] if path is None else list(re.finditer(rb'"value":\d*([0-8])', path.read_bytes()))
    if path is not None and found:
        place, data = rng.choice(found).start(1), bytearray(path.read_bytes())
        data[place] += 1
        path.write_bytes(data)


def move(out: Path, rng: random.Random, _: Callable[[], None]) -> None:
    path = rng.choice(files(out))
    target = rng.choice([*files(out), path.with_name(f"away-{rng.random()}"), path.parent.parent / path.name])
    if not target.is_dir():
        path.replace(target)


def put_a_folder(out: Path, rng: random.Random, _: Callable[[], None]) -> None:
    path = rng.choice(files(out))
    path.unlink()
    path.mkdir()


def kill(out: Path, rng: random.Random, again: Callable[[], None]) -> None:
    """Kill a run in the middle of a record or before a file gets its name."""
    for path in files(out):
        if rng.random() < 0.5 and path.suffix == ".jsonl":
            path.unlink()  # something to do
    left, halves = rng.randrange(1, 6), rng.random() < 0.5
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        _die_after(left, halves=halves)
        again()
    finally:
        os._exit(0)


def _die_after(left: int, *, halves: bool) -> None:
    append, replace = Store.append, Path.replace
    count = [left]

    def die() -> bool:
        count[0] -= 1
        return count[0] == 0

    def half(self: Store, where: object, record: object) -> None:
        append(self, where, record)  # type: ignore[arg-type]
        if die():
            path = self.records_path(where)  # type: ignore[arg-type]
            os.truncate(path, path.stat().st_size - 40)
            os.kill(os.getpid(), signal.SIGKILL)

    def unnamed(self: Path, target: Path) -> Path:
        if die():
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    if halves:
        Store.append = half  # type: ignore[method-assign]
    else:
        atomic.Path.replace = unnamed  # type: ignore[method-assign]


ACCIDENTS = [truncate, garble, change_a_value, move, put_a_folder, kill]


def records(out: Path) -> pd.DataFrame:
    """The records of a folder, but for the times."""
    return bench.load(out).records.drop(columns="seconds").reset_index(drop=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a child process")
def test_accidents_leave_equal_records_or_a_refusal_that_names_the_file(run: Call, tmp_path: Path) -> None:
    """Catches a traceback, a number that nobody measured, and a folder that no rerun mends."""
    photos = write_photos(tmp_path / "Photos", range(3))
    run(**REQUEST, datasets=photos, out=tmp_path / "quiet")
    truth = records(tmp_path / "quiet")
    for number in range(SEQUENCES):
        rng, out = random.Random(number), tmp_path / f"run{number}"

        def again(out: Path = out) -> None:
            run(**REQUEST, datasets=photos, out=out)

        again()
        accidents = [rng.choice(ACCIDENTS) for _ in range(rng.randrange(1, 4))]
        for accident in accidents:
            if files(out):
                accident(out, rng, again)
        told = f"sequence {number}: {', '.join(accident.__name__ for accident in accidents)}"
        _mend(out, again, told)
        pd.testing.assert_frame_equal(records(out), truth, obj=told)
        assert not list(out.rglob("*.part")), told


def _mend(out: Path, again: Callable[[], object], told: str) -> None:
    """Type the command again until it works, and do what refusals and failures say: move the named thing away."""
    for _ in range(12):
        try:
            again()
            records(out)
        except RequestError as fault:
            said = str(fault)
        else:
            said = "\n".join(path for path in _in_the_way(out))
            if not said:
                return
        named = [path for path in out.rglob("*") if str(path) in said and path.suffix in (".json", ".jsonl", ".png")]
        assert named, f"{told}: {said}"
        for path in named:
            path.rename(out.parent / f"{out.name}-{len(list(out.parent.iterdir()))}")
    pytest.fail(f"{told}: still refused")


def _in_the_way(out: Path) -> list[str]:
    """Folders where images belong."""
    return [str(path) for path in (out / "images").rglob("*.png") if path.is_dir()]
