"""What is left of a run: reckoned for each method by itself, per pixel, from stored images and from this run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.api import ScalePair
from bench.engine.events import Silent
from bench.engine.folder import RunFolder
from bench.engine.forecast import Forecast, Left
from bench.engine.metric_plan import plan_metrics
from bench.engine.plan import list_samples, make_plan
from bench.engine.request import RunRequest
from bench.engine.run import execute
from bench.imaging import write_png

Build = Callable[..., RunRequest]


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def forecast_of(make_request: Build) -> Callable[..., tuple[Forecast, Clock]]:
    """The forecast of a request, with a clock that is set by hand."""

    def make(**fields: object) -> tuple[Forecast, Clock]:
        request = make_request(**fields)
        folder, clock = RunFolder(request.out), Clock()
        before = folder.manifest()
        plan = make_plan(request, list_samples(request), folder, plan_metrics(request), before)
        return Forecast(plan, folder, before, clock), clock

    return make


def work(forecast: Forecast, clock: Clock, cell: int, unit: int, *, model: float, besides: float) -> None:
    """A method makes an image, which is then scored."""
    at = forecast.plan.cells[cell]
    forecast.took(at, forecast.pixels(at, at.units[unit]), model)
    clock.now += model + besides
    forecast.finished(at, at.units[unit])


def test_a_cheap_method_says_nothing_of_a_dear_one(forecast_of: Callable) -> None:
    """Catches one mean over all methods: "17 s left" for a command of minutes, and the reverse."""
    forecast, clock = forecast_of(methods="nearest,bicubic")
    assert forecast.left() == Left(None, ("Nearest", "Bicubic"))
    for unit in range(4):
        work(forecast, clock, 0, unit, model=0.1, besides=0.0)
    assert forecast.left() == Left(0.0, ("Bicubic",))
    work(forecast, clock, 1, 0, model=60.0, besides=0.0)
    left = forecast.left()
    assert (left.unknown, left.seconds) == ((), pytest.approx(3 * 60.0))


def test_seconds_are_per_pixel(forecast_of: Callable, tmp_path: Path) -> None:
    """Catches seconds per image: one large image after three small ones takes as long as they say it does not."""
    folder = tmp_path / "Mixed"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, side in (("a", 16), ("b", 16), ("c", 64)):
        write_png(folder / f"{name}.png", rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    forecast, clock = forecast_of(datasets=(folder,))
    for unit in (0, 1):
        work(forecast, clock, 0, unit, model=1.0, besides=0.0)
    assert forecast.left().seconds == pytest.approx(16.0)


def test_what_happens_once_is_not_expected_again(forecast_of: Callable) -> None:
    """Catches imports and the loading of weights counted for every image that is left."""
    forecast, clock = forecast_of()
    forecast.loaded(30.0)
    clock.now += 30.0
    work(forecast, clock, 0, 0, model=1.0, besides=20.0)  # the networks of metrics are loaded
    assert forecast.left().seconds == pytest.approx(3 * 1.0)
    work(forecast, clock, 0, 1, model=1.0, besides=0.5)
    assert forecast.left().seconds == pytest.approx(2 * (1.0 + 0.5))


def test_the_time_of_scoring_belongs_to_all_methods(forecast_of: Callable) -> None:
    """Catches scoring left out, or thought to be the first method's alone."""
    forecast, clock = forecast_of(methods="nearest,bicubic")
    for unit in range(4):
        work(forecast, clock, 0, unit, model=0.0, besides=2.0)
    left = forecast.left()
    assert (left.seconds, left.unknown) == (pytest.approx(4 * 2.0), ("Bicubic",))


def test_stored_images_tell_of_their_method(forecast_of: Callable, make_request: Build) -> None:
    """Catches a run that goes on and knows nothing, and one that forgets images of another scale."""
    execute(make_request(scales=(2.0,)))
    forecast, _ = forecast_of(scales=(2.0, 3.0))
    left = forecast.left()
    assert left.unknown == ()
    assert left.seconds is not None
    assert left.seconds > 0


def test_a_failed_image_is_done_with(forecast_of: Callable) -> None:
    """Catches images that stay left for ever because they failed."""
    forecast, clock = forecast_of()
    cell = forecast.plan.cells[0]
    for unit in cell.units:
        clock.now += 1.0
        forecast.finished(cell, unit)
    assert forecast.left().seconds in (None, 0.0)


def test_a_listener_is_told_before_the_work_begins(make_request: Build) -> None:
    """Catches a forecast that nobody sees, or that still counts what is finished."""
    seen: list[Left] = []

    class Ear(Silent):
        forecast: Forecast

        def expect(self, forecast: Forecast) -> None:
            self.forecast = forecast

        def unit(self, cell: object, image: str, *, error: str = "") -> None:
            seen.append(self.forecast.left())

    execute(make_request(), Ear())
    seconds = [left.seconds for left in seen if left.seconds is not None]
    assert len(seen) == 4
    assert seconds[-1] == pytest.approx(0.0, abs=1e-9)


def test_pixels_of_a_result_from_an_lr_image_alone_are_of_both_factors(forecast_of: Callable, tmp_path: Path) -> None:
    """Catches a scale per axis that is multiplied as a number, and one factor for both sides."""
    (tmp_path / "LR").mkdir()
    write_png(tmp_path / "LR" / "a.png", np.zeros((10, 20, 3), np.uint8))
    forecast, _ = forecast_of(datasets=(f"::{tmp_path / 'LR'}",), scales=(ScalePair(1.5, 2), 3.0), metrics=("niqe",))
    found = {str(cell.id.scale): forecast.pixels(cell, cell.units[0]) for cell in forecast.plan.cells}
    assert found == {"1.5x2": 600, "3.0": 1800}
