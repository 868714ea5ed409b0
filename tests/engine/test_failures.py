"""What a run keeps of failed units: the traceback, one line per kind, and where it stops when asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import plugins
from bench.api import CellId, UnitStatus
from bench.engine.events import Failure, Silent, Tally
from bench.engine.request import RunRequest
from bench.engine.run import execute as run_all
from bench.engine.store import CellFolder, Store
from bench.engine.tracebacks import traceback_path
from bench.registry import METHODS

Build = Callable[..., RunRequest]
PLUGIN = """
import torch
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled

class Up(Method):
    info = MethodInfo(name="up", display="Up", summary="s")

    def begin(self, *, image, scale):
        self.image = image

    def upscale(self, lr, size, *, seed):
        {body}
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0])
"""
FAILS = "raise ValueError(f'no layer for {size[0]} rows of {self.image}')"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Write the plug-in `up` with these lines in its `upscale`, in place of an earlier one."""
    loaded = dict(plugins._LOADED)

    def write(body: str) -> None:
        METHODS.forget("up")
        (tmp_path / "up.py").write_text(PLUGIN.format(body=body))
        plugins.load_plugin(tmp_path / "up.py")

    yield write
    METHODS.forget("up")
    plugins._LOADED.clear()
    plugins._LOADED.update(loaded)


def execute(request: RunRequest) -> Tally:
    return run_all(request).tally


def test_a_traceback_lies_under_the_name_of_its_image(make_request: Build, plugin: Callable[[str], None]) -> None:
    """Catches one file for all, a message without the traceback, and a path that leaves the run folder."""
    plugin(FAILS)
    request = make_request(methods="up", scales=(2.0, 3.0), limit=2)
    tally = execute(request)
    assert len(tally.failures) == 4
    expected = {Path("errors", "up", "Photos", f"x{s}-s0", f"photo {i}.txt") for s in (2, 3) for i in (0, 1)}
    assert {failure.traceback for failure in tally.failures} == expected
    for failure in tally.failures:
        assert failure.traceback is not None
        text = (request.out / failure.traceback).read_text()
        assert text.startswith("Traceback (most recent call last)")
        assert f"rows of {failure.image}" in text
        assert failure.error.endswith("(up.py:13 in upscale)")
    assert not list(request.out.rglob("*.part"))


def test_a_traceback_goes_when_its_unit_succeeds_or_fails_in_words(
    make_request: Build, plugin: Callable[[str], None]
) -> None:
    """Catches a traceback of yesterday beside an image of today."""
    plugin(FAILS)
    request = make_request(methods="up")
    execute(request)
    errors = request.out / "errors"
    assert len(list(errors.rglob("*.txt"))) == 4
    plugin("if self.image != 'photo 3': raise TypeError('another fault')")
    execute(make_request(methods="up"))
    assert {path.stem for path in errors.rglob("*.txt")} == {"photo 0", "photo 1", "photo 2"}
    assert all("another fault" in path.read_text() for path in errors.rglob("*.txt"))
    plugin("from bench.api import UnitError\n        if self.image != 'photo 3': raise UnitError('on purpose')")
    assert len(execute(make_request(methods="up")).failures) == 3
    assert not list(errors.rglob("*"))
    plugin("pass")
    assert execute(make_request(methods="up")).failures == []


def test_a_stored_path_cannot_lead_a_traceback_out_of_its_folder() -> None:
    """Catches a record that decides where is written."""
    assert traceback_path(Path("images", "..", "..", "evil.png")) == Path("errors", "evil.txt")
    assert traceback_path(Path("images", "up", "S", "x2-s0", "a", "0.5 b.png")) == Path(
        "errors", "up", "S", "x2-s0", "a", "0.5 b.txt"
    )


def test_a_traceback_that_cannot_be_written_costs_no_run(make_request: Build, plugin: Callable[[str], None]) -> None:
    """Catches an OSError of the harness in place of the method's own error."""
    plugin(FAILS)
    request = make_request(methods="up", limit=1)
    request.out.mkdir(parents=True)
    (request.out / "errors").write_text("in the way")
    (failure,) = execute(request).failures
    assert failure.traceback is None
    assert "no layer" in failure.error


@pytest.mark.parametrize("workers", [0, 1])
def test_fail_fast_stops_at_the_first_failure_and_keeps_what_is_finished(
    make_request: Build, plugin: Callable[[str], None], workers: int
) -> None:
    """Catches a run that goes on, and one that forgets the images before the failure."""
    plugin("if self.image == 'photo 1': raise ValueError('no')")
    request = make_request(methods="up,bicubic", fail_fast=True, workers=workers)
    tally = execute(request)
    assert [failure.image for failure in tally.failures] == ["photo 1"]
    assert tally.stopped
    assert not tally.interrupted
    with Store(request.out) as store:
        units = store.units(CellFolder(CellId("up", "", "Photos", 2.0, 0), "up"))
    status = {unit.image: unit.status for unit in units.values()}
    assert status == {"photo 0": UnitStatus.OK, "photo 1": UnitStatus.FAILED}
    assert len(execute(make_request(methods="up,bicubic")).failures) == 1


def test_fail_fast_makes_no_number_across_scales(make_request: Build, plugin: Callable[[str], None]) -> None:
    """Catches a SelfSSIM of the images before the failure, as of a finished run."""
    plugin("if self.image == 'photo 1' and lr.shape[1] < 20: raise ValueError('no')")
    wanted = {"methods": "up", "metrics": ("psnr", "selfssim"), "scales": (2.0, 4.0)}
    stopped = run_all(make_request(**wanted, fail_fast=True))
    assert [(failure.image, failure.cell.scale) for failure in stopped.tally.failures] == [("photo 1", 4.0)]
    across = {row.value for row in stopped.rows.rows if row.metric.startswith("selfssim")}
    assert across <= {None}
    went_on = run_all(make_request(**wanted))
    assert any(row.value for row in went_on.rows.rows if row.metric.startswith("selfssim"))


def test_failures_are_of_one_kind_but_for_image_and_numbers() -> None:
    """Catches a line per image, and two faults of one message at two lines of code said as one."""
    cell, other = CellId("up", "", "S", 2.0, 0), CellId("up", "a=1", "S", 2.0, 0)
    a = Failure(cell, "baby", "up raised E: 3 rows of baby, 1.5 (up.py:13 in f)")
    assert a.kind == Failure(cell, "bird", "up raised E: 12 rows of bird, 0.25 (up.py:13 in f)").kind
    assert a.kind != Failure(cell, "bird", "up raised E: 12 rows of bird, 0.25 (up.py:14 in f)").kind
    assert a.kind != Failure(other, "baby", a.error).kind
    assert Failure(cell, "a", "a fatal thing").kind == Failure(cell, "b", "b fatal thing").kind
    assert Failure(cell, "img_001", "img_001 x").kind == Failure(cell, "img_002", "img_002 x").kind


def test_the_listener_is_told_every_failure(make_request: Build, plugin: Callable[[str], None]) -> None:
    class Ear(Silent):
        heard: list[str]

        def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
            self.heard.append(image if error else "")

    plugin(FAILS)
    ear = Ear()
    ear.heard = []
    run_all(make_request(methods="up"), ear)
    assert ear.heard == ["photo 0", "photo 1", "photo 2", "photo 3"]
