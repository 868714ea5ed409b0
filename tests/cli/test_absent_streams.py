"""Where nobody reads, or nothing but ASCII can be written: no traceback, and the work is done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

RUN = ("run", "--methods", "bicubic", "--scales", "2", "--limit", "1", "--metrics", "psnr", "--workers", "0")
_NOBODY = """
import os, pwd, runpy, sys
for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME", "TORCH_HOME"):
    os.environ.pop(name, None)
def nobody(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")
pwd.getpwuid = nobody
sys.argv = ["bench", *sys.argv[1:]]
runpy.run_module("bench", run_name="__main__", alter_sys=True)
"""


def start(
    words: Sequence[str], here: Path, *, env: dict[str, str] | None = None, closed: tuple[int, ...] = (), code: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """A command in a process of its own, with some of its streams closed."""

    def close() -> None:
        for number in closed:
            os.close(number)

    python = [sys.executable, *(("-c", code) if code else ("-m", "bench"))]
    return subprocess.run(
        [*python, *words],
        cwd=here,
        env={**os.environ, **(env or {})},
        capture_output=True,
        timeout=300,
        check=False,
        preexec_fn=close if closed else None,
    )


def assert_done(done: subprocess.CompletedProcess[bytes], here: Path) -> None:
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
    assert b"Exception ignored" not in done.stderr, done.stderr.decode(errors="replace")
    assert done.returncode == 0, done.stderr
    records = here / "results" / "runs" / "default" / "records.csv"
    assert records.read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_that_is_not_utf_8_gets_what_it_can_hold(encoding: str, newcomer: Path) -> None:
    """Catches a UnicodeEncodeError before or after the work, and results that are lost to it."""
    done = start(RUN, newcomer, env={"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"})
    assert_done(done, newcomer)
    said = done.stdout.decode(encoding)
    assert ("×2" if encoding != "ascii" else "x2") in said
    assert "PSNR" in said


def test_every_list_can_be_written_in_ascii(newcomer: Path) -> None:
    """Catches a list that is printed past the streams that were made fit."""
    plain = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for words in (("methods",), ("metrics",), ("datasets",), ("protocols", "sample"), ("methods", "casr")):
        done = start(words, newcomer, env=plain)
        assert (done.returncode, done.stderr) == (0, b""), words
        done.stdout.decode("ascii")


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2), (0, 1, 2)], ids=str)
def test_a_closed_stream_costs_nothing_but_itself(closed: tuple[int, ...], newcomer: Path) -> None:
    """Catches an AttributeError for a closed stdout, and a run that computes nothing for a closed stderr."""
    assert_done(start(RUN, newcomer, closed=closed), newcomer)


def test_what_is_printed_into_a_closed_stream_ends_in_no_file(newcomer: Path) -> None:
    """Catches a record file that is given the number of the closed stdout, and so what a library prints there."""
    code = "import os; from bench.cli.streams import dependable_streams\nwith dependable_streams():\n"
    code += " out = open('records', 'wb', buffering=0); os.write(1, b'noise'); os.write(2, b'noise'); print('x')"
    done = start((), newcomer, closed=(0, 1, 2), code=code)
    assert done.returncode == 0
    assert (newcomer / "records").read_bytes() == b""


def test_an_error_with_a_name_that_is_no_text_is_printed(newcomer: Path) -> None:
    """Catches a traceback for the name of a folder in another encoding, under UTF-8."""
    name = os.fsdecode(b"caf\xe9")
    done = start(("run", "--methods", "bicubic", "--scales", "2", "--datasets", f"./{name}"), newcomer)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"caf" in done.stderr


@pytest.mark.parametrize("metrics", ["psnr", "psnr,lpips,niqe"])
def test_nobody_without_a_home_can_run(metrics: str, newcomer: Path, tmp_path: Path) -> None:
    """Catches a traceback in a container whose user is a number, and a folder that is called ~."""
    words = [word if word != "psnr" else metrics for word in RUN]
    done = start(words, newcomer, code=_NOBODY, env={"TMPDIR": str(tmp_path), "ASSR_BENCH_DOWNLOAD": "0"})
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.returncode in (0, 1), done.stderr.decode()
    assert b"psnr" in (newcomer / "results" / "runs" / "default" / "records.csv").read_bytes()
    assert not (newcomer / "~").exists()


@pytest.mark.parametrize("words", [("methods", "liif"), ("datasets",), ("weights", "list"), ("upscale", "liif")])
def test_nobody_without_a_home_can_ask(words: tuple[str, ...], newcomer: Path, ramp: Callable[[], Path]) -> None:
    """Catches a cache folder that is looked up where there is no home."""
    if words[0] == "upscale":
        words = (*words, str(ramp()), str(newcomer / "o.png"), "--scale", "2")
    done = start(words, newcomer, code=_NOBODY)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    assert not (newcomer / "~").exists()


@pytest.fixture
def ramp(newcomer: Path) -> Callable[[], Path]:
    """A small image in the working folder, made where it is needed."""

    def make() -> Path:
        import numpy as np

        from bench.imaging import write_png

        path = newcomer / "i.png"
        write_png(path, np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3))
        return path

    return make
