"""Methods in processes of their own: what is measured of them, and what becomes of one that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.profile import Profile, ProfileRequest, profile, tasks_of_scales
from bench.profile.child import imports_timed

PLUGIN = '''
import os
import torch
from bench.api import Method, MethodInfo, UnitError, Upscaled

def enlarged(lr, size):
    return torch.nn.functional.interpolate(lr[None], size)[0]

class Greedy(Method):
    """A convolution, after 200 MB that nobody needs."""
    info = MethodInfo(name="greedy", display="Greedy", summary="")

    def __init__(self, options=None):
        super().__init__(options)
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)

    def upscale(self, lr, size, *, seed):
        if lr.shape[-1] > 16:
            torch.ones(50_000_000)
        return Upscaled(self.conv(enlarged(lr, size)[None])[0])

class Modest(Greedy):
    info = MethodInfo(name="modest", display="Modest", summary="")

    def upscale(self, lr, size, *, seed):
        return Upscaled(enlarged(lr, size))

class Cascade(Greedy):
    """Doubles until it is there; a stage is one convolution of the doubled image."""
    info = MethodInfo(name="cascade", display="Cascade", summary="")

    def upscale(self, lr, size, *, seed):
        stages = []
        while lr.shape[-1] < size[1]:
            lr = self.conv(enlarged(lr, (2 * lr.shape[-2], 2 * lr.shape[-1]))[None])[0]
            stages.append(lr)
        return Upscaled(lr, tuple(stages))

class Entangled(Cascade):
    """Two images at least, however small the scale."""
    info = MethodInfo(name="entangled", display="Entangled", summary="")

    def upscale(self, lr, size, *, seed):
        return Upscaled(enlarged(lr, size), (lr, enlarged(lr, size)))

class Half(Greedy):
    info = MethodInfo(name="half", display="Half", summary="")

    def upscale(self, lr, size, *, seed):
        if size[0] > 64:
            raise UnitError("too large for me")
        return Upscaled(enlarged(lr, size))

class Killed(Half):
    info = MethodInfo(name="killed", display="Killed", summary="")

    def upscale(self, lr, size, *, seed):
        if size[0] > 64:
            os.kill(os.getpid(), 9)
        return Upscaled(enlarged(lr, size))
'''
SIDE = 32
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plugin_file(tmp_path_factory) -> Path:
    """All of these methods."""
    file = Path(tmp_path_factory.mktemp("plugin")) / "costs.py"
    file.write_text(PLUGIN, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def measured(plugin_file) -> Profile:
    """All of them at x2 and x4 of 32 x 32."""
    names = ("greedy", "modest", "cascade", "entangled", "half", "killed")
    request = ProfileRequest(
        methods=names,
        tasks=tasks_of_scales((SIDE, SIDE), (4, 2)),
        plugin=(plugin_file,),
        device="cpu",
        repeats=2,
        threads=1,
    )
    said: list[str] = []
    found = profile(request, said.append)
    assert any("Killed failed" in line for line in said)
    return found


def _row(found: Profile, name: str):
    return next(row for row in found.methods if row.method == name)


def test_memory_is_a_method_s_own_and_above_the_loaded_state(measured):
    """Catches a peak that the method before left behind, one of the whole process, and one that is read afterwards."""
    greedy, modest = (_row(measured, name) for name in ("greedy", "modest"))
    grown = [
        [task.peak - row.loading.memory for task in row.measured] for row in (greedy, modest) if row.loading is not None
    ]
    assert all(190e6 < each < 260e6 for each in grown[0])
    assert all(each < 60e6 for each in grown[1])


def test_parameters_and_operations_are_those_of_the_network(measured):
    """Catches a count of the tiny image that comes first, or of all repetitions together."""
    for name in ("greedy", "cascade"):
        row = _row(measured, name)
        assert row.loading is not None
        assert row.loading.parameters == 3 * 3 * 9 + 3
    macs = [task.operations.macs for task in _row(measured, "greedy").measured]
    assert macs == [81 * (SIDE * scale) ** 2 for scale in (2, 4)]


def test_sizes_rise_and_every_repetition_is_kept(measured):
    """Catches scales in the order in which they were typed, so that memory is held against a smaller image."""
    row = _row(measured, "modest")
    assert [task.size for task in row.measured] == [(64, 64), (128, 128)]
    assert all(len(task.seconds) == 2 and min(task.seconds) > 0 for task in row.measured)


def test_stages_of_a_cascade_are_timed_by_themselves(measured):
    """Catches a stage for the result alone, and a last stage that is left out."""
    row = _row(measured, "cascade")
    assert [[stage.size for stage in task.stages] for task in row.measured] == [[], [(64, 64), (128, 128)]]
    assert all(len(stage.seconds) == 2 for task in row.measured for stage in task.stages)


def test_stages_that_cannot_be_told_apart_are_not_made_up(measured):
    """Catches a stage whose own call is a cascade again."""
    row = _row(measured, "entangled")
    assert not any(task.stages for task in row.measured)
    assert all("more than one stage" in task.stages_why for task in row.measured)


@pytest.mark.parametrize(("name", "why"), [("half", "too large for me"), ("killed", "signal 9")])
def test_what_was_measured_before_a_failure_stands(measured, name, why):
    """Catches a method that takes the others with it, and a failure without a reason."""
    row = _row(measured, name)
    assert [task.size for task in row.measured] == [(64, 64)]
    assert why in row.failure
    assert not measured.complete


def test_turns_go_round_all_methods_and_add_up(plugin_file):
    """Catches turns of one method behind another, which a drifting machine makes unequal, and times that replace those
    of the turn before."""
    request = ProfileRequest(
        methods=("cascade", "half"),
        tasks=tasks_of_scales((SIDE, SIDE), (4,)),
        plugin=(plugin_file,),
        device="cpu",
        repeats=3,
        turns=2,
    )
    said: list[str] = []
    found = profile(request, said.append)
    assert [line.split(":")[0].split(" ")[0] for line in said if "imported" in line] == ["Cascade", "Half", "Cascade"]
    (task,) = _row(found, "cascade").measured
    assert [len(task.seconds), *(len(stage.seconds) for stage in task.stages)] == [6, 6, 6]
    assert "too large for me" in _row(found, "half").failure
    assert found.calls == "6 calls in 2 turns through all methods"


def test_the_machine_is_named(measured):
    assert measured.machine.threads == 1
    assert measured.machine.torch in measured.machine.words


def test_imports_within_imports_count_once(tmp_path, monkeypatch):
    """Catches the seconds of an inner import counted twice. The clock is made up: every look is a second later."""
    (tmp_path / "outer_of_two.py").write_text("import inner_of_two\n", encoding="utf-8")
    (tmp_path / "inner_of_two.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    ticks = iter(range(1000))
    monkeypatch.setattr("bench.profile.child.time.perf_counter", lambda: next(ticks))
    with imports_timed() as clock:
        import outer_of_two  # type: ignore[import-not-found]  # noqa: F401
    assert clock.seconds == 1
