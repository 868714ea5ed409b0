"""What a run tells a method of the images to come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.api import derive_seed
from bench.engine.choice import choose_methods
from bench.engine.request import RunRequest
from bench.engine.run import execute
from bench.plugins import load_plugin
from bench.registry import METHODS

_PLUGIN = """
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, UnitError, Upscaled

SEEN = []

class Ahead(Method):
    info = MethodInfo(name="ahead", display="Ahead", summary="s")

    def prepare(self, units, *, scale, seed):
        SEEN.append((scale, seed, [(u.image, tuple(u.lr.shape), tuple(u.size), u.seed) for u in units]))
        {prepare}

    def upscale(self, lr, size, *, seed):
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0])
"""


@pytest.fixture
def ahead(tmp_path: Path, make_request: Callable[..., RunRequest]):
    """Run the plug-in; what its `prepare` saw, and the tally."""
    import sys

    def run(prepare: str = "pass"):
        (tmp_path / "ahead.py").write_text(_PLUGIN.format(prepare=prepare))
        load_plugin(tmp_path / "ahead.py")
        (choice,) = choose_methods(["ahead"], weights=None, overrides=())
        tally = execute(make_request(methods="ahead", scales=(2.0, 3.0))).tally
        return sys.modules[choice.spec.factory.partition(":")[0]].SEEN, tally

    yield run
    METHODS.forget("ahead")


def test_each_cell_is_announced_once_with_what_upscale_is_then_given(ahead) -> None:
    seen, tally = ahead()
    assert tally.inferred == 8
    assert [(scale, seed, len(units)) for scale, seed, units in seen] == [(2.0, 0, 4), (3.0, 0, 4)]
    assert seen[0][2][1] == ("photo 1", (3, 36, 48), (72, 96), derive_seed(0, "photo 1"))


def test_an_unreadable_image_is_left_out_and_fails_alone(ahead, photos: Path) -> None:
    (photos / "photo 2.png").write_bytes(b"no image")
    seen, tally = ahead()
    assert [image for image, *_ in seen[0][2]] == ["photo 0", "photo 1", "photo 3"]
    assert {failure.image for failure in tally.failures} == {"photo 2"}
    assert tally.inferred == 6


def test_a_fault_in_prepare_fails_the_images_of_its_cell_only(ahead) -> None:
    _, tally = ahead("if scale == 2: raise UnitError('no memory for the folder')")
    assert tally.inferred == 4
    assert [failure.error for failure in tally.failures] == ["no memory for the folder"] * 4
    assert {failure.cell.scale for failure in tally.failures} == {2.0}
