"""Commands as a person types them: in a process of their own where that matters, else in this one."""

from __future__ import annotations

import csv
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.cli import app as command_line
from bench.imaging import write_png
from bench.registry import METHODS


@dataclass(frozen=True)
class Done:
    """How a command ended.

    Attributes:
        code: Exit code; negative for a signal.
        out: What it printed.
        err: What it complained of.
    """

    code: int
    out: str
    err: str


Type = Callable[..., Done]
_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def make_photo(seed: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """A smooth random colour image, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 16.0
    planes = [np.sin(a * y + b * x + c) for a, b, c in rng.uniform(0.3, 2, (3, 3))]
    image = np.stack(planes, axis=-1)
    return np.clip(128 + 60 * image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def in_terminal(words: tuple[object, ...], columns: int, env: dict[str, str] | None = None) -> tuple[int, str]:
    """(exit code, what it wrote) of a command in a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    own = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    running = subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**own, "TERM": "xterm-256color", **(env or {})},
    )
    os.close(theirs)
    chunks = []
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    return running.wait(timeout=120), b"".join(chunks).decode().replace("\r\n", "\n")


def plain_lines(text: str) -> list[str]:
    """The lines of a terminal without its codes."""
    return [line.rstrip() for line in _CODE.sub("", text).rstrip("\n").split("\n")]


def untimed(path: Path) -> list[dict[str, str]]:
    """records.csv without the seconds, which differ from run to run."""
    with path.open(encoding="utf-8", newline="") as stream:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(stream)]


@pytest.fixture(autouse=True)
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and nothing of this machine's settings."""
    for name in ("ASSR_BENCH_DATA", "TORCH_HOME", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("TORCH_HOME", str(home / "torch"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def photos(newcomer: Path) -> Path:
    """A folder `Photos` of three images in the working folder."""
    folder = newcomer / "Photos"
    folder.mkdir()
    for index in range(3):
        write_png(folder / f"p{index}.png", make_photo(index))
    return folder


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Type:
    """Type a command within this process; what plugins register is forgotten afterwards."""

    def type_in(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        before = set(METHODS.names())
        capfd.readouterr()
        code: object = 0
        try:
            command_line.main()
        except SystemExit as left:
            code = left.code
        finally:
            _forget(set(METHODS.names()) - before)
        said = capfd.readouterr()
        return _done(code if isinstance(code, int) else 0, said.out, said.err)

    return type_in


@pytest.fixture
def process(newcomer: Path) -> Type:
    """Type a command in a process of its own."""

    def type_in(
        *words: object, env: dict[str, str] | None = None, python: Sequence[str] = (), preexec: object = None
    ) -> Done:
        ended = subprocess.run(
            [sys.executable, *python, "-m", "bench", *map(str, words)],
            cwd=newcomer,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=preexec,  # type: ignore[arg-type]
        )
        return _done(ended.returncode, ended.stdout, ended.stderr)

    return type_in


def _done(code: int, out: str, err: str) -> Done:
    assert "Traceback" not in err, err
    return Done(code, out, err)


def _forget(names: set[str]) -> None:
    from bench import plugins

    for name in names:
        METHODS.forget(name)
    for module, known in list(plugins._LOADED.items()):
        if names & set(known):
            del plugins._LOADED[module]
