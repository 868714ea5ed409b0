"""Distributions against numpy and scipy, and cycles against what a method made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kurtosis, wasserstein_distance

from bench.api import ImageRef, Sample, UnitError, get_protocol
from bench.engine.choice import choose_methods
from bench.engine.inference import Runner
from bench.figures.drift.distribution import Distribution, gradient_distribution, luma_distribution, pooled
from bench.figures.drift.meter import DriftMeter, average
from bench.imaging import imresize_u8, write_png
from bench.plugins import load_plugin
from bench.registry import METHODS

PLUGIN = Path(__file__).parents[1] / "methods" / "plugins" / "cascade.py"


def photo(seed: int, size: tuple[int, int] = (96, 80)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    noise = rng.normal(0, 6, (*size, 3))
    return np.clip(imresize_u8(coarse, size) + noise, 0, 255).astype(np.uint8)


def gray(seed: int, size: tuple[int, int]) -> np.ndarray:
    """A plane, which is luma as it is."""
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


@pytest.mark.parametrize("size", [(13, 9), (1, 17), (1, 1)])
def test_moments_and_distances_are_those_of_the_pixels(size: tuple[int, int]) -> None:
    """Catches counts off by one value, one direction of differences alone, and distances that depend on the number of
    pixels."""
    first, second = gray(0, size), gray(1, (size[0] + 3, size[1]))
    steps = [np.concatenate([np.diff(x.astype(int), axis=axis).ravel() for axis in (0, 1)]) for x in (first, second)]
    if not steps[0].size:
        steps[0] = np.zeros(1)
    pairs = [
        (first.ravel(), second.ravel(), luma_distribution(first), luma_distribution(second)),
        (steps[0], steps[1], gradient_distribution(first), gradient_distribution(second)),
    ]
    for values, others, found, other in pairs:
        assert found.mean == pytest.approx(values.mean())
        assert found.sd == pytest.approx(values.std(), abs=1e-9)
        assert found.distance(other) == pytest.approx(wasserstein_distance(values, others))
        assert found.distance(other) == pytest.approx(other.distance(found))
        assert found.distance(found) == 0
        if values.std() > 0:
            assert found.kurtosis == pytest.approx(kurtosis(values.astype(float), fisher=False))


def test_colour_is_measured_as_full_range_luma_at_any_depth() -> None:
    """Catches studio luma, whose range is narrower, and 16-bit levels taken for 8-bit ones."""
    pixels = photo(0)
    luma = np.rint(pixels.astype(float) @ (0.299, 0.587, 0.114))
    found = luma_distribution(pixels)
    assert wasserstein_distance(found.values, luma.ravel(), found.density) < 0.01  # ties may be rounded either way
    assert luma_distribution(pixels.astype(np.uint16) * 257).distance(found) < 0.01


def test_pooled_images_count_alike() -> None:
    """Catches a pool in which a large image outweighs a small one."""
    small, large = np.zeros((2, 2), np.uint8), np.full((90, 90), 255, np.uint8)
    assert pooled([luma_distribution(small), luma_distribution(large)]).mean == pytest.approx(127.5)


def test_distributions_over_other_values_are_refused() -> None:
    with pytest.raises(ValueError, match="same values"):
        luma_distribution(gray(0, (4, 4))).distance(gradient_distribution(gray(0, (4, 4))))


@pytest.fixture
def runner():
    """A maker of runners of the cascade with some options."""
    load_plugin(PLUGIN)

    def make(**options: object) -> Runner:
        overrides = [f"cascade.{name}={value}" for name, value in options.items()]
        (choice,) = choose_methods(["cascade"], weights=None, overrides=overrides)
        return Runner(choice, device="cpu")

    yield make
    _forget("cascade")


def _forget(name: str) -> None:
    from bench import plugins

    METHODS.forget(name)
    for module, known in list(plugins._LOADED.items()):
        if name in known:
            del plugins._LOADED[module]


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    path = tmp_path / "photo.png"
    write_png(path, photo(1))
    return Sample("photo", ImageRef(path))


def test_cycles_are_the_lr_image_the_stages_and_the_result(runner, sample: Sample) -> None:
    """Catches the result counted twice, an HR that is not reduced to the stage's size, and stages left unrounded."""
    cycles = DriftMeter(get_protocol("sample"), 8).measure(runner(), sample)
    assert [cycle.number for cycle in cycles] == [0, 1, 2, 3]
    assert [cycle.size for cycle in cycles] == [(12, 10), (24, 20), (48, 40), (96, 80)]
    assert [cycle.growth for cycle in cycles] == pytest.approx([1, 2, 4, 8])
    hr = photo(1)
    for cycle in cycles:
        reference = luma_distribution(imresize_u8(hr, cycle.size))
        assert cycle.hr_luma.distance(reference) == 0
        assert cycle.values["luma_distance"] == pytest.approx(cycle.luma.distance(reference))
        assert cycle.values["hr_luma_sd"] == pytest.approx(reference.sd)
    assert cycles[0].luma.distance(cycles[0].hr_luma) == 0  # bicubic LR of this protocol is HR reduced
    assert "lr_psnr" not in cycles[0].values
    assert all(cycle.values["lr_psnr"] > 20 for cycle in cycles[1:])


def test_gain_shows_as_drift_of_differences(runner, sample: Sample) -> None:
    """Catches measures that do not tell a blurring cascade from a sharpening one."""
    meter = DriftMeter(get_protocol("sample"), 8)
    last = {gain: meter.measure(runner(gain=gain), sample)[-1].values for gain in (0.5, 1.0, 4.0)}
    spreads = [last[gain]["gradient_sd"] for gain in (0.5, 1.0, 4.0)]
    assert spreads[0] < spreads[1] < spreads[2]
    assert last[4.0]["lr_psnr"] < last[1.0]["lr_psnr"]


def test_a_stage_of_the_full_size_is_not_another_cycle(runner, sample: Sample) -> None:
    """Catches a spread over samples that is drawn as an image."""
    cycles = DriftMeter(get_protocol("sample"), 4).measure(runner(samples=2), sample)
    assert [cycle.size for cycle in cycles] == [(24, 20), (96, 80)]
    assert cycles[-1].values["luma_sd"] > 10


def test_means_are_over_what_every_image_has(runner, tmp_path: Path) -> None:
    """Catches a mean over the images that happen to be large enough, set beside means over all."""
    made = runner()
    meter = DriftMeter(get_protocol("sample"), 4)
    cycles = []
    for seed in (2, 3):
        path = tmp_path / f"p{seed}.png"
        write_png(path, photo(seed))
        cycles += meter.measure(made, Sample(f"p{seed}", ImageRef(path)))
    means = average(cycles)
    assert [(mean.number, mean.n) for mean in means] == [(0, 2), (1, 2), (2, 2)]
    assert means[2].values["luma_sd"] == pytest.approx(np.mean([c.values["luma_sd"] for c in cycles if c.number == 2]))
    del cycles[-1].values["lr_psnr"]
    assert "lr_psnr" in average(cycles)[1].values
    assert "lr_psnr" not in average(cycles)[2].values


def test_a_set_without_hr_has_cycles_and_no_distances(runner, tmp_path: Path) -> None:
    write_png(tmp_path / "lr.png", photo(4, (16, 16)))
    cycles = DriftMeter(get_protocol("sample"), 4).measure(runner(), Sample("lr", None, ImageRef(tmp_path / "lr.png")))
    assert [cycle.size for cycle in cycles] == [(16, 16), (32, 32), (64, 64)]
    assert "luma_distance" not in cycles[-1].values
    assert {"luma_sd", "lr_psnr"} <= set(cycles[-1].values)


def test_an_image_that_cannot_be_prepared_is_named(runner, sample: Sample) -> None:
    with pytest.raises(UnitError, match="leaves no LR image"):
        DriftMeter(get_protocol("sample"), 200).measure(runner(), sample)


@pytest.mark.reference
def test_niqe_of_large_cycles_is_the_metrics(runner, tmp_path: Path, reference_root: Path) -> None:
    """Catches NIQE of another image than the cycle's; small ones have none, and say why."""
    from bench.metrics.niqe import load_parameters, niqe

    root = reference_root / "weights" / "torch_home"
    path = tmp_path / "large.png"
    write_png(path, photo(5, (256, 208)))
    meter = DriftMeter(get_protocol("sample"), 2, weights_root=root)
    cycles = meter.measure(runner(), Sample("large", ImageRef(path)))
    hr = photo(5, (256, 208)).astype(float) @ (0.299, 0.587, 0.114)
    assert cycles[1].values["hr_niqe"] == pytest.approx(niqe(np.rint(hr), load_parameters(root)), rel=0.02)
    small = DriftMeter(get_protocol("sample"), 4, weights_root=root).measure(runner(), Sample("large", ImageRef(path)))
    assert "niqe" not in small[0].values
    assert "96 px" in small[0].reasons["niqe"]


def test_kurtosis_of_a_flat_image_is_not_a_number() -> None:
    assert np.isnan(Distribution(0, np.array([4, 0])).kurtosis)
