"""Images of one size that go through a method together."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.engine.choice import choose_methods
from bench.engine.events import Tally
from bench.engine.request import RunRequest
from bench.engine.run import execute
from bench.plugins import load_plugin
from bench.registry import METHODS

_PLUGIN = """
import torch
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled

CALLS = []

class Together(Method):
    info = MethodInfo(name="together", display="Together", summary="s", stochastic=True)
    batch = {batch}

    def upscale(self, lr, size, *, seed):
        CALLS.append(1)
        return self.enlarge(lr, size, seed)

    def upscale_batch(self, lrs, size, *, seeds):
        CALLS.append(len(lrs))
        return [self.enlarge(lr, size, seed) for lr, seed in zip(lrs, seeds, strict=True)]

    def enlarge(self, lr, size, seed):
        if lr.max() == 0:
            raise ValueError("black")
        noise = torch.randn(3, *size, generator=torch.Generator().manual_seed(seed))
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0] + 0.1 * noise)
"""


@dataclass(frozen=True)
class Done:
    """How many images each call of the method had, and what the run folder holds: image -> hash of its pixels."""

    calls: list[int]
    images: dict[str, str]
    tally: Tally


Go = Callable[..., Done]


@pytest.fixture
def go(tmp_path: Path, photos: Path, make_request: Callable[..., RunRequest]) -> Iterator[Go]:
    """Run the plug-in over the photos."""

    def run(batch: int, **request: object) -> Done:
        (tmp_path / "together.py").write_text(_PLUGIN.format(batch=batch))
        load_plugin(tmp_path / "together.py")
        (choice,) = choose_methods(["together"], weights=None, overrides=())
        out = tmp_path / f"run-{batch}"
        tally = execute(make_request(methods="together", scales=(2.0,), out=out, **request)).tally
        lines = [json.loads(line) for path in out.glob("records/**/*.jsonl") for line in path.read_text().splitlines()]
        images = {line["image"]: line["output"]["sha256"] for line in lines if line["output"]}
        return Done(sys.modules[choice.spec.factory.partition(":")[0]].CALLS, images, tally)

    yield run
    METHODS.forget("together")


def test_batches_give_the_images_of_single_calls(go: Go) -> None:
    """Catches a seed of the batch in place of the image's, results in another order, and batches that are not used."""
    alone, together = go(1), go(3)
    assert alone.calls == [1, 1, 1, 1]
    assert together.calls == [3, 1]
    assert together.images == alone.images
    assert together.tally.inferred == 4


def test_another_size_ends_a_batch(go: Go, photos: Path) -> None:
    """Catches images of other sizes that are stacked, skipped, or read and lost."""
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(photos / "photo 2.png")
    done = go(8)
    assert done.calls == [2, 1, 1]
    assert sorted(done.images) == [f"photo {number}" for number in range(4)]


def test_a_fault_in_a_batch_fails_its_own_image_only(go: Go, photos: Path) -> None:
    """Catches a batch that fails as a whole, or that is tried again for each of its images."""
    black = np.zeros_like(np.asarray(Image.open(photos / "photo 1.png")))
    Image.fromarray(black).save(photos / "photo 1.png")
    done = go(4)
    assert [failure.image for failure in done.tally.failures] == ["photo 1"]
    assert sorted(done.images) == ["photo 0", "photo 2", "photo 3"]
    assert done.calls == [4, 1, 1, 1, 1]


def test_an_unreadable_image_fails_in_its_turn(go: Go, photos: Path) -> None:
    (photos / "photo 2.png").write_bytes(b"no image")
    done = go(4)
    assert [failure.image for failure in done.tally.failures] == ["photo 2"]
    assert done.calls == [2, 1]


def test_large_results_go_alone(go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a bound on images and none on memory."""
    monkeypatch.setattr("bench.engine.together.MOST_PIXELS", 2 * 72 * 96)
    assert go(4).calls == [2, 2]


def test_tiles_that_are_asked_for_are_of_one_image(go: Go) -> None:
    """Catches a batch that goes through whole although a tile was asked for."""
    assert go(4, tile=16).calls == [1, 1, 1, 1]
