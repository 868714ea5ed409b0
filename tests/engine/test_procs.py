"""`--procs N`: images computed in other processes, with the same records, whatever becomes of the processes."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.api import Method, MethodInfo, MethodOptions, RequestError, Upscaled
from bench.engine.choice import choose_methods
from bench.engine.inferring import batches
from bench.engine.making import InferJob
from bench.engine.packed import pack_job, unpack_job
from bench.engine.procs import devices_of
from bench.engine.request import RunRequest
from bench.engine.run import RunResult, execute
from bench.plugins import load_plugin, method_class, method_spec
from bench.registry import METHODS
from tests.engine.same_records import images_of, records_of

Build = Callable[..., RunRequest]

PLUGIN = """
import os, signal
from pathlib import Path
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, MethodOptions, Upscaled

class Options(MethodOptions):
    fault: str = ""

class Faulty(Method):
    info = MethodInfo(name="faulty", display="Faulty", summary="s")
    Options = Options

    def load(self, weights, device, dtype):
        if self.options.fault == "elsewhere":
            os.chdir("/")
        if self.options.fault == "load":
            os.kill(os.getpid(), signal.SIGKILL)

    def begin(self, *, image, scale):
        self.image = image

    def upscale(self, lr, size, *, seed):
        once = Path({marker!r})
        if self.image == "photo 1":
            if self.options.fault == "always":
                os._exit(7)
            if self.options.fault == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self.options.fault == "once" and not once.exists():
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.options.fault == "elsewhere":
                os.chdir("/")
            if self.options.fault == "raise":
                raise ValueError("no such layer")
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0])

class Together(Faulty):
    info = MethodInfo(name="together", display="Together", summary="s")

    def prepare(self, units, *, scale, seed):
        with Path({marker!r}).open("a") as log:
            print(scale, *(unit.image for unit in units), sep=";", file=log)
"""


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """The plug-in is loaded; the file that it leaves its marks in."""
    path = tmp_path / "marker"
    (tmp_path / "faulty.py").write_text(PLUGIN.format(marker=str(path)))
    load_plugin(tmp_path / "faulty.py")
    yield path
    METHODS.forget("faulty")
    METHODS.forget("together")


@pytest.fixture
def run(make_request: Build, marker: Path) -> Callable[..., RunResult]:
    """Run the faulty method, by default in two processes."""

    def call(fault: str = "", *, methods: str = "faulty", procs: int | None = 2, **others: object) -> RunResult:
        overrides = (f"faulty.fault={fault}",) if fault else ()
        return execute(
            make_request(methods=methods, procs=procs, overrides=overrides, metrics=("psnr",), device="cpu", **others)
        )

    return call


def test_two_processes_leave_the_records_and_images_of_none(run: Callable[..., RunResult], tmp_path: Path) -> None:
    """Catches a seed, a size or a pair that is derived another way in another process, and a unit done by both."""
    methods, scales = "bicubic,nearest,faulty", (2.0, 3.3)
    here = run(methods=methods, procs=None, scales=scales, out=tmp_path / "here")
    there = run(methods=methods, scales=scales, out=tmp_path / "there")
    assert records_of(tmp_path / "here") == records_of(tmp_path / "there")
    assert images_of(tmp_path / "here") == images_of(tmp_path / "there")
    assert here.tally.inferred == there.tally.inferred == 24
    again = run(methods=methods, scales=scales, out=tmp_path / "there")
    assert (again.tally.inferred, again.tally.scored) == (0, 0)


def test_a_process_that_is_killed_once_costs_nothing(run: Callable[..., RunResult]) -> None:
    """Catches an image that fails although nothing is wrong with it, and those behind it that are forgotten."""
    tally = run("once").tally
    assert (tally.inferred, tally.failures) == (4, [])


def test_an_image_that_ends_its_process_fails_alone(run: Callable[..., RunResult]) -> None:
    """Catches a run that starts processes for ever, or takes the neighbours of an image along."""
    tally = run("always").tally
    assert tally.inferred == 3
    (failure,) = tally.failures
    assert failure.image == "photo 1"
    assert "ended (exit code 7), twice" in failure.error


@pytest.mark.parametrize("procs", [None, 1])
def test_a_method_that_changes_the_folder_costs_nobody_anything(
    run: Callable[..., RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, procs: int | None
) -> None:
    """Catches images below another folder than their records, and all later ones failing, where --out is relative."""
    monkeypatch.chdir(tmp_path)
    tally = run("elsewhere", methods="faulty,nearest", procs=procs, out=Path("run")).tally
    assert (tally.inferred, tally.failures) == (8, [])
    assert len(images_of(tmp_path / "run")) == 8
    assert Path.cwd() == tmp_path


def test_a_crash_is_not_taken_for_want_of_memory(run: Callable[..., RunResult]) -> None:
    """Catches advice about memory for a fault in native code, of which fewer processes have just as many."""
    (failure,) = run("crash").tally.failures
    assert "(Segmentation fault, signal 11), twice; set PYTHONFAULTHANDLER=1" in failure.error
    assert "memory" not in failure.error


def test_a_method_that_ends_every_process_is_given_up_and_the_next_one_runs(run: Callable[..., RunResult]) -> None:
    """Catches two new processes for every one of its images."""
    tally = run("load", methods="faulty,nearest").tally
    assert tally.inferred == 4
    assert [failure.cell.method for failure in tally.failures] == ["faulty"] * 4
    assert all("killed (signal 9; out of memory?) twice while it loaded" in f.error for f in tally.failures)


def test_what_a_method_raises_is_told_as_if_it_ran_here(run: Callable[..., RunResult], tmp_path: Path) -> None:
    """Catches a traceback or a message that does not survive the way back."""
    there = run("raise").tally.failures
    assert there[0].traceback is not None
    told = (tmp_path / "run" / there[0].traceback).read_text()
    here = run("raise", procs=None, out=tmp_path / "here").tally.failures
    assert [failure.error for failure in here] == [failure.error for failure in there]
    assert "no such layer" in told


def test_images_that_are_computed_together_stay_together(run: Callable[..., RunResult], marker: Path) -> None:
    """Catches a folder of images of which each process computes all that it is not asked for."""
    run(methods="together", scales=(2.0, 3.0))
    images = [f"photo {index}" for index in range(4)]
    assert sorted(marker.read_text().splitlines()) == [";".join(("2.0", *images)), ";".join(("3.0", *images))]


def test_a_spec_says_whether_its_method_computes_images_together() -> None:
    """Catches a spec whose method has a `prepare` of its own, and whose images are shared out all the same."""
    specs = {name: method_spec(name) for name in METHODS.names()}
    assert {name: spec.prepares for name, spec in specs.items()} == {
        name: method_class(spec).prepare is not Method.prepare for name, spec in specs.items()
    }


def test_a_method_that_cannot_be_sent_is_refused_with_a_way_on(make_request: Build) -> None:
    """Catches a traceback of pickle."""

    class Hidden(MethodOptions):
        pass

    class Made(Method):
        info = MethodInfo(name="made", display="Made", summary="s")
        Options = Hidden

        def upscale(self, lr, size, *, seed):
            return Upscaled(lr)

    METHODS.add("made", Made, origin="a test")
    try:
        with pytest.raises(RequestError, match=r"made cannot be sent to another process.*--plugin"):
            execute(make_request(methods="made", procs=1, device="cpu"))
    finally:
        METHODS.forget("made")


@pytest.mark.parametrize("images", [1, 3, 8, 1000])
@pytest.mark.parametrize("share", [0, 1, 2, 64])
def test_batches_hold_every_image_once(images: int, share: int) -> None:
    """Catches a last batch that is dropped, and one process that is left with half of the work."""
    spec = method_spec("bicubic")
    parts = [list(range(images))[place] for place in batches(spec, range(images), share)]
    assert [image for part in parts for image in part] == list(range(images))
    assert share == 0 or max(map(len, parts)) <= max(1, min(16, images // (4 * share)))


def test_devices_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches processes that all compute on the first GPU, and one GPU that was asked for by number but not taken."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert devices_of("cuda", None) == devices_of("auto", None) == ("cuda:0", "cuda:1", "cuda:2")
    assert devices_of("cuda", 4) == ("cuda:0", "cuda:1", "cuda:2", "cuda:0")
    assert devices_of("cuda:1", None) == ("cuda:1",)
    assert devices_of("cpu", 2) == ("cpu", "cpu")
    with pytest.raises(RequestError, match=r"cuda:3: torch sees 3 CUDA devices, the last is cuda:2"):
        devices_of("cuda:3", None)


def test_a_job_is_small_and_survives_the_way(make_request: Build) -> None:
    """Catches a job that drags the plan, or pixels, along."""
    (choice,) = choose_methods(["liif"])
    request = make_request()
    job = InferJob(choice, "", request.protocol, 2.0, 0, (), request.out)
    content = pickle.dumps(job)
    assert pickle.loads(content) == job
    assert len(content) < 20_000


def test_a_plugin_that_is_edited_under_way_is_refused(make_request: Build, marker: Path) -> None:
    """Catches images of the new code under the keys of the old, in a process that loads the file a minute later."""
    (choice,) = choose_methods(["faulty"])
    request = make_request()
    job = InferJob(choice, "", request.protocol, 2.0, 0, (), request.out)
    packed, how = pack_job(job, otherwise="x"), {"where": "here", "next_step": "x"}
    assert unpack_job(packed, **how) == job
    file = marker.with_name("faulty.py")
    file.write_text(file.read_text() + "# edited\n")
    with pytest.raises(
        RequestError, match=r"faulty\.py was changed while the run was under way.*type the same command"
    ):
        unpack_job(packed, **how)


def test_a_script_without_a_guard_is_told_so(tmp_path: Path, photos: Path) -> None:
    """Catches processes that run the whole script again, die of it, and are called out of memory."""
    call = "bench.run('nearest', 2, datasets='Photos', metrics='psnr', out='run', procs=1, workers=0, device='cpu')"
    (tmp_path / "script.py").write_text(f"import bench\n{call}\n")
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert 'if __name__ == "__main__"' in done.stderr.splitlines()[-1]
