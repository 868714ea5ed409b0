"""A run that is killed while an external program works: neither the program nor its files stay behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX's")

_PROGRAM = """
import os, subprocess, sys, time
held = open(sys.argv[1], "wb", buffering=0)
# a grandchild holds the pipe as well
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=[held.fileno()])
held.write(b"working\\n")
time.sleep(600)
"""
_TOOL = """
import sys, tempfile, torch
from bench.api import ComingUnit
from methods.command.info import CommandOptions
from methods.command.method import Command
tempfile.tempdir = sys.argv[1]
method = Command(CommandOptions(run=sys.argv[2]))
lr = torch.zeros(3, 4, 4)
method.prepare([ComingUnit("a", lr, (8, 8), 0)], scale=2.0, seed=0)
method.begin(image="a", scale=2.0)
method.upscale(lr, (8, 8), seed=0)
"""


def _read(pipe: int, seconds: float) -> bytes | None:
    """What comes next; b"" at the end, None where nothing comes in time."""
    ready, _, _ = select.select([pipe], [], [], seconds)
    return os.read(pipe, 100) if ready else None


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("SIGTERM", "{input} {output}"),
        ("SIGHUP", "{input} {output}"),
        ("SIGKILL", "{input} {output}"),
        ("SIGKILL", "{input_dir} {output_dir}"),
    ],
)
def test_a_killed_run_ends_its_program_and_removes_its_files(name: str, fields: str, tmp_path: Path) -> None:
    """Catches a program (and what it started) that runs on for hours, and a temporary folder that stays for good."""
    scratch, pipe_path, program = tmp_path / "scratch", tmp_path / "pipe", tmp_path / "program.py"
    scratch.mkdir()
    os.mkfifo(pipe_path)
    program.write_text(_PROGRAM)
    pipe = os.open(pipe_path, os.O_RDONLY | os.O_NONBLOCK)
    command = f"{sys.executable} {program} {pipe_path} {fields}"
    tool = subprocess.Popen(
        [sys.executable, "-c", _TOOL, str(scratch), command], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        assert _read(pipe, 120) == b"working\n"
        assert len(list(scratch.iterdir())) == 1
        os.killpg(tool.pid, getattr(signal, name))  # as a terminal does, to all of its group
        assert tool.wait(60) != 0
        assert _read(pipe, 60) == b"", "the program still holds the pipe"
        for _ in range(600):
            if not list(scratch.iterdir()):
                break
            select.select([], [], [], 0.1)
        assert not list(scratch.iterdir())
    finally:
        os.close(pipe)
        if tool.poll() is None:
            tool.kill()


def test_the_watcher_knows_nothing_of_what_is_done(tmp_path: Path) -> None:
    """Catches a watcher that later kills whoever got the number of a program that had ended."""
    from methods.command import guard

    with guard.ended_with_us(os.getpid()):
        assert guard._guard._notes == {b"g%d" % os.getpid()}
    folder = guard.make_folder()
    guard.remove_folder(folder)
    assert not folder.exists()
    assert guard._guard._notes == set()
    guard._guard.close()


def test_a_watcher_that_somebody_ended_is_started_again_with_all_that_it_must_know() -> None:
    """Catches a broken pipe that fails an image."""
    from methods.command import guard

    first, second = guard.make_folder(), guard.make_folder()
    process = guard._guard._process
    assert process is not None
    process.kill()
    process.wait()
    third = guard.make_folder()
    assert guard._guard._process is not process
    guard._guard.close()  # as at the end of this process
    assert not first.exists()
    assert not second.exists()
    assert not third.exists()
    guard._guard._notes.clear()
