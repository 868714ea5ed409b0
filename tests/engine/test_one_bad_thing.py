"""One bad thing costs one image: no memory, a library's exception, a killed process; only a full disk ends a run."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.api import BenchError, RequestError, Sample, get_protocol
from bench.engine import making
from bench.engine.executor import LocalExecutor
from bench.engine.request import RunRequest
from bench.engine.run import execute as run_all
from bench.engine.scoring import ScoreJob, ScorerConfig
from bench.engine.store import Store
from bench.imaging.atomic import atomic_write, remove_leftovers

Build = Callable[..., RunRequest]


def failing(name: str, image: str, fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a step of the main process raise for one image."""
    real = getattr(making, name)

    def step(first: Any, *others: Any, **named: Any) -> Any:
        if image in str(getattr(first, "id", first)):
            raise fault
        return real(first, *others, **named)

    monkeypatch.setattr(making, name, step)


@pytest.mark.parametrize("fault", [MemoryError(), cv2.error("too many pixels"), ZeroDivisionError("a bug")], ids=repr)
@pytest.mark.parametrize("step", ["prepare", "store_image"])
def test_what_goes_wrong_in_the_main_process_costs_that_image(
    make_request: Build, monkeypatch: pytest.MonkeyPatch, fault: BaseException, step: str
) -> None:
    """Catches a run that ends at one image, again at every rerun, and loses the later ones."""
    failing(step, "photo 1", fault, monkeypatch)
    tally = run_all(make_request(metrics=("psnr",))).tally
    assert [failure.image for failure in tally.failures] == ["photo 1"]
    assert tally.scored == 3
    said = "not enough memory" if isinstance(fault, MemoryError) else type(fault).__name__
    assert said in tally.failures[0].error
    monkeypatch.undo()
    again = run_all(make_request(metrics=("psnr",))).tally
    assert (again.failures, again.inferred) == ([], 1)


@pytest.mark.parametrize("fault", [SystemExit(3), GeneratorExit(), MemoryError(), cv2.error("x")], ids=repr)
def test_a_metric_that_raises_anything_costs_its_own_number(
    make_request: Build, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    """Catches a metric of a plug-in that ends the run."""
    from bench.metrics.ssim import SSIM

    def compute(*_: Any, **__: Any) -> float:
        raise fault

    monkeypatch.setattr(SSIM, "compute", compute)
    result = run_all(make_request(metrics=("psnr", "ssim")))
    assert result.tally.inferred == 4
    psnr = [row.value for row in result.rows.rows if row.metric == "psnr"]
    assert len(psnr) == 4
    assert isinstance(fault, MemoryError) or None not in psnr  # short of memory is said of the image
    monkeypatch.undo()
    assert run_all(make_request(metrics=("psnr", "ssim"))).tally.inferred == 0


@pytest.mark.parametrize("fault", [SystemExit(3), MemoryError(), RuntimeError("x")], ids=repr)
def test_a_metric_across_scales_that_raises_is_tried_again_and_ends_no_run(
    make_request: Build, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    """Catches a traceback after all work, and a fault that is kept like a result."""
    from bench.metrics.selfssim import SelfSSIM

    def compute(*_: Any) -> float:
        raise fault

    monkeypatch.setattr(SelfSSIM, "compute_pair", compute)
    wanted = {"metrics": ("psnr", "selfssim"), "scales": (2.0, 3.0)}
    assert run_all(make_request(**wanted)).tally.scored == 8
    monkeypatch.undo()
    assert run_all(make_request(**wanted)).tally.scored == 8


KILLING = """
import os, signal
from pathlib import Path
from bench.api import Method, MethodInfo
from bench.engine.scoring import UnitScorer
class Idle(Method):
    info = MethodInfo(name="idle", display="Idle", summary="s")
    def upscale(self, lr, size, *, seed):
        raise NotImplementedError
real, marker = UnitScorer.run, Path({marker!r})
def run(self, job):
    if job.sample.id == "a" and ({always} or not marker.exists()):
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, job)
UnitScorer.run = run
"""


def scored(tmp_path: Path, *, always: bool) -> dict[str, str]:
    """Image -> error, of two jobs of one worker whose process is killed."""
    plugin = tmp_path / "killing.py"
    plugin.write_text(KILLING.format(marker=str(tmp_path / "marker"), always=always), encoding="utf-8")
    executor = LocalExecutor(ScorerConfig(("psnr",), get_protocol("sample"), None, plugins=(plugin,)), workers=1)
    pixels = np.full((16, 16, 3), 100, np.uint8)
    try:
        for image in ("a", "b"):
            job = ScoreJob(Path("unused.png"), Sample(image, None, None), 2.0, ("psnr",), sr=pixels, hr=pixels + 1)
            executor.submit(image, job)
        return {
            str(ticket): done.error or str(done.values["psnr"].value is not None) for ticket, done in executor.drain()
        }
    finally:
        executor.close()


def test_the_jobs_of_a_killed_process_are_done_once_more(tmp_path: Path) -> None:
    """Catches two images that fail although nothing is wrong with them."""
    assert scored(tmp_path, always=False) == {"a": "True", "b": "True"}


def test_a_job_that_kills_its_process_takes_no_other_along(tmp_path: Path) -> None:
    """Catches an endless retry, and the job beside it that fails with it."""
    done = scored(tmp_path, always=True)
    assert "died twice" in done["a"]
    assert done["b"] == "True"


def test_a_full_disk_stops_the_run_and_keeps_what_is_finished(
    make_request: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a run that computes every remaining image only to fail at writing it."""
    calls: list[str] = []
    real = making.store_image

    def write(path: Path, pixels: np.ndarray) -> str:
        calls.append(path.name)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, pixels)

    monkeypatch.setattr(making, "store_image", write)
    with pytest.raises(RequestError, match=r"photo 1\.png: No space left.*finished work is kept"):
        run_all(make_request(metrics=("psnr",)))
    assert len(calls) == 2
    monkeypatch.undo()
    again = run_all(make_request(metrics=("psnr",))).tally
    assert (again.reused, again.inferred, again.failures) == (1, 3, [])


def test_what_a_killed_run_left_half_written_goes_and_nothing_else_does(make_request: Build) -> None:
    """Catches `.xxxx.part` files that stay for good, and a cleaning that takes files of others."""
    request = make_request(metrics=("psnr",), limit=1)
    run_all(request)
    folder = request.out / "images" / "bicubic" / "Photos" / "x2-s0"
    ours = [folder / ".a1b2c3d4.part", folder / ".abcdefg_.part"]
    others = [folder / ".mine.part", folder / "a1b2c3d4.part", folder / ".a1b2c3d4.part.bak"]
    young, old = request.out / ".zzzzzzzz.part", request.out / ".yyyyyyyy.part"
    for path in (*ours, *others, young, old):
        path.write_bytes(b"x")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    run_all(make_request(metrics=("psnr",)))
    assert not any(path.exists() for path in (*ours, old))
    assert all(path.exists() for path in (*others, young))


def test_leftovers_are_named_as_the_writer_names_them(tmp_path: Path) -> None:
    """Catches a pattern that no temporary file has."""
    with atomic_write(tmp_path / "a.txt"):
        (name,) = [path.name for path in tmp_path.iterdir()]
    (tmp_path / "a.txt").unlink()
    (tmp_path / name).write_text("x")
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_that_refuses_chmod_is_written_to(make_request: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a run that nobody can make on some network and container file systems."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    monkeypatch.setattr(os, "chmod", refuse)
    assert run_all(make_request(metrics=("psnr",))).tally.failures == []


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_has_a_lock_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Catches "no run possible", "another run is writing" where none is, and two writers in one folder."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Store(tmp_path / "run"):
        assert (tmp_path / "run" / ".lock-held").exists()
        with pytest.raises(RequestError, match=r"another run is writing.*remove .*\.lock-held"):
            Store(tmp_path / "run")
    assert not (tmp_path / "run" / ".lock-held").exists()
    with Store(tmp_path / "run"):
        pass


def test_the_lock_that_a_killed_process_left_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a folder that stays locked after kill -9 where the system knows no locks."""
    code = (
        "import errno, fcntl, os, signal, sys\nfrom pathlib import Path\nfrom bench.engine.store import Store\n"
        "def refuse(*_): raise OSError(errno.ENOLCK, 'no locks')\n"
        "fcntl.flock = refuse\nstore = Store(Path(sys.argv[1]))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "run")], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "run" / ".lock-held").exists()
    monkeypatch.setattr(fcntl, "flock", _refuse)
    with Store(tmp_path / "run"):
        pass


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.mark.parametrize("per_image", [True, False])
def test_a_method_whose_fingerprint_raises_is_named(make_request: Build, per_image: bool) -> None:
    """Catches a traceback of the harness for a plug-in's own fault while the run is planned."""

    def fingerprint(*_: object) -> str:
        raise ZeroDivisionError("no such thing")

    request = make_request()
    (choice,) = request.methods
    spec = replace(choice.spec, fingerprint=fingerprint, fingerprint_per_image=per_image)
    with pytest.raises(BenchError, match="bicubic raised ZeroDivisionError: no such thing"):
        run_all(replace(request, methods=(replace(choice, spec=spec),)))
