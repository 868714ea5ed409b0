"""kill -9, Ctrl-C and SIGTERM in a run: what is finished is kept, the same command goes on, nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.cli.conftest import untimed

PLUGIN = """
import os, signal
from pathlib import Path
import torch

from bench.api import Method, MethodInfo, Upscaled

class Logged(Method):
    info = MethodInfo(name="logged", display="Logged", summary="writes down every call")

    def begin(self, *, image, scale):
        self.unit = f"{image} x{scale:g}"

    def upscale(self, lr, size, *, seed):
        log = Path("log.txt")
        if "SLOW" in os.environ:
            import time
            time.sleep(float(os.environ["SLOW"]))
        with log.open("a") as stream:
            stream.write(self.unit + chr(10))
        if str(len(log.read_text().splitlines())) == os.environ.get("DIE_AT"):
            os.kill(os.getpid(), signal.SIGKILL)
        return Upscaled(torch.nn.functional.interpolate(lr[None], size)[0])
"""
STOPS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
"""What a terminal or a batch system sends, and the exit code."""
DEPTH = 2
"""Images that may be under way in one scoring process before the next one waits."""


@pytest.fixture
def run_words(newcomer: Path, photos: Path) -> list[str]:
    """A run of twelve units with one scoring process."""
    (newcomer / "logged.py").write_text(PLUGIN)
    words = (
        "run --methods logged --plugin logged.py --datasets Photos --scales 1.5,2,3,4 --metrics psnr,ssim --workers 1"
    )
    return words.split()


def log(folder: Path) -> list[str]:
    return (folder / "log.txt").read_text().splitlines()


def no_relatives(group: int) -> bool:
    """Whether no process of a process group is left but zombies."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                return False
    return True


def wait_until(what: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def begin(words: list[str], folder: Path, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        cwd=folder,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # tests that a shell runs in the background inherit an ignored SIGINT, which nobody at a prompt has
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture
def undisturbed(bench: Callable, run_words: list[str], newcomer: Path) -> list[dict[str, str]]:
    """records.csv of a run that nobody interrupted."""
    assert bench(*run_words, "--out", "whole", "--workers", 0).code == 0
    assert len(log(newcomer)) == 12
    (newcomer / "log.txt").unlink()
    return untimed(newcomer / "whole" / "records.csv")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_killed_runs_go_on_where_they_were_and_end_with_the_same_records(
    process: Callable, bench: Callable, run_words: list[str], newcomer: Path, undisturbed: list[dict[str, str]]
) -> None:
    words = [*run_words, "--out", "run"]
    for die_at in (2, 8):
        killed = begin(words, newcomer, DIE_AT=str(die_at))
        killed.communicate(timeout=120)
        assert killed.returncode == -signal.SIGKILL
        wait_until(partial(no_relatives, killed.pid))
    torn = sorted((newcomer / "run" / "records").rglob("*.jsonl"))[0]
    torn.write_bytes(torn.read_bytes()[:-30])
    assert process(*words).code == 0
    assert untimed(newcomer / "run" / "records.csv") == undisturbed
    again = sum(Counter(log(newcomer)).values()) - 12
    assert set(Counter(log(newcomer))) == {f"p{i} x{s}" for i in range(3) for s in ("1.5", "2", "3", "4")}
    assert 0 < again <= 2 * (DEPTH + 1) + 1, "two kills and one torn line"
    before = len(log(newcomer))
    done = bench(*words)
    assert "no inference was needed" in done.out
    assert len(log(newcomer)) == before


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_stop_keeps_what_is_finished_and_says_how_to_go_on(
    bench: Callable, run_words: list[str], newcomer: Path, undisturbed: list[dict[str, str]], number: int, code: int
) -> None:
    words = [*run_words, "--out", "run"]
    stopped = begin(words, newcomer, SLOW="0.5")
    wait_until(lambda: (newcomer / "log.txt").exists() and len(log(newcomer)) >= 3)
    os.killpg(stopped.pid, number)
    out, err = stopped.communicate(timeout=120)
    assert stopped.returncode == code
    assert "Traceback" not in err
    assert "failed" not in err
    assert "finished work is kept" in err
    assert f"bench {' '.join(words)}" in err
    computed = len(log(newcomer))
    assert computed < 12
    assert (newcomer / "run" / "table.md").exists()
    done = bench(*words)
    assert done.code == 0
    assert len(log(newcomer)) <= 12 + 1, "at most the image that was being computed"
    assert untimed(newcomer / "run" / "records.csv") == undisturbed
    assert "/12" not in out


def test_ctrl_c_while_the_first_scoring_process_starts_is_no_failure(run_words: list[str], newcomer: Path) -> None:
    stopped = begin([*run_words, "--out", "run"], newcomer)
    wait_until(lambda: (newcomer / "log.txt").exists())
    os.killpg(stopped.pid, signal.SIGINT)
    _, err = stopped.communicate(timeout=120)
    assert stopped.returncode == 130
    assert "Traceback" not in err
    assert "failed" not in err


FINALISED = """
import os, signal
import torch
from bench.api import Method, MethodInfo, Upscaled

class Swallowing:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):
            pass

class Finalised(Method):
    info = MethodInfo(name="finalised", display="Finalised", summary="s")

    def upscale(self, lr, size, *, seed):
        Swallowing()
        import time
        time.sleep(0.5)
        return Upscaled(torch.nn.functional.interpolate(lr[None], size)[0])
"""


@pytest.mark.parametrize(("number", "code"), STOPS)
def test_a_stop_that_a_finaliser_swallows_comes_again(newcomer: Path, photos: Path, number: int, code: int) -> None:
    """Catches a run that cannot be stopped because the signal came while a library cleaned up."""
    (newcomer / "finalised.py").write_text(FINALISED.format(name=signal.Signals(number).name))
    words = "run --methods finalised --plugin finalised.py --datasets Photos --scales 2,3,4 --metrics psnr --out run"
    running = begin([*words.split(), "--workers", "0"], newcomer)
    _, err = running.communicate(timeout=120)
    assert running.returncode == code, err
    assert "Traceback" not in err, err
    assert "ignored" not in err, err


HANGING = """
import time
from pathlib import Path
import torch
from bench.api import Method, MethodInfo, Upscaled

class Hanging(Method):
    info = MethodInfo(name="hanging", display="Hanging", summary="s")

    def begin(self, *, image, scale):
        self.image = image

    def upscale(self, lr, size, *, seed):
        if self.image != "p0":
            Path({!r}).touch()
            time.sleep(1000)
        return Upscaled(torch.nn.functional.interpolate(lr[None], size)[0])
"""


def no_heirs(mark: str) -> bool:
    """Whether no living process has this text in its environment."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if mark.encode() in (entry / "environ").read_bytes():
                    return False
    return True


@pytest.mark.parametrize(("number", "code"), STOPS)
@pytest.mark.parametrize("executor", ["local", "ray"])
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_stop_ends_processes_that_hang_and_keeps_what_is_finished(
    newcomer: Path, photos: Path, executor: str, number: int, code: int
) -> None:
    """Catches a run that waits for an image which never comes, and processes, or a cluster, that outlive it."""
    if executor == "ray":
        pytest.importorskip("ray", reason="needs ray: pip install 'assr-bench[ray]'")
    (newcomer / "hanging.py").write_text(HANGING.format(str(newcomer / "hangs")))
    words = "run --methods hanging --plugin hanging.py --datasets Photos --scales 2 --metrics psnr --out run --procs 2"
    mark = f"mark-{newcomer}"
    words = [*words.split(), "--executor", executor, "--device", "cpu", "--workers", "0"]
    running = begin(words, newcomer, BENCH_TEST_MARK=mark)
    record = newcomer / "run" / "records" / "hanging" / "Photos" / "x2-s0.jsonl"
    wait_until(lambda: (newcomer / "hangs").exists() and record.exists() and record.stat().st_size > 0, 240)
    os.killpg(running.pid, number)
    _, err = running.communicate(timeout=120)
    assert running.returncode == code, err
    assert "Traceback" not in err, err
    assert [row["image"] for row in untimed(newcomer / "run" / "records.csv") if row["value"]] == ["p0"]
    wait_until(partial(no_heirs, mark))
