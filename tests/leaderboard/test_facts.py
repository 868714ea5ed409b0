"""What stands beside a number: its confidence interval, its seconds, and the mark of a training set that holds it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.analysis import records_frame
from bench.analysis.costs import cell_seconds
from bench.api import PRESETS, UnitStatus
from bench.leaderboard.contamination import contamination
from bench.leaderboard.intervals import mean_intervals
from bench.leaderboard.protocols import protocol_names
from bench.metrics.catalog import make_metric

SIGNATURE = "psnr|rgb|shave:0|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"


def row(image: str, value: float | None, *, seed: int = 0, signature: str = SIGNATURE, seconds: float = 1.0) -> tuple:
    status = UnitStatus.OK if value is not None else UnitStatus.FAILED
    return ("m", "", "Set5", image, 2.0, seed, "psnr", value, status, signature, "o", "s", seconds)


def test_the_interval_is_students() -> None:
    """Catches a normal quantile, the population's deviation, and seeds that count as more images."""
    values = np.random.default_rng(0).normal(30, 2, (6, 2))
    rows = [row(f"i{i}", v, seed=seed) for i, pair in enumerate(values) for seed, v in enumerate(pair)]
    ((low, high),) = mean_intervals(records_frame(rows)).values()
    means = values.mean(axis=1)
    expected = stats.t.interval(0.95, 5, means.mean(), stats.sem(means))
    assert (low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    "rows",
    [
        [row("a", 30.0)],
        [row("a", 30.0), row("b", float("inf"))],
        [row("a", 30.0), row("b", None)],
        [row("*", 30.0), row("b", 31.0)],
        [row(i, v, signature=SIGNATURE.replace("agg:img", "agg:batch8-mse")) for i, v in (("a", 30.0), ("b", 31.0))],
    ],
    ids=["one image", "infinite", "failed", "whole set", "no mean of values"],
)
def test_what_is_no_mean_of_several_values_has_no_interval(rows: list[tuple]) -> None:
    """Catches an interval around a number that is not the mean of single values."""
    assert mean_intervals(records_frame(rows)) == {}


def test_seconds_are_counted_once_per_image() -> None:
    """Catches a mean over rows, in which an image with more metrics weighs more."""
    second = ("m", "", "Set5", "a", 2.0, 0, "ssim", 0.9, UnitStatus.OK, "ssim|v1", "o", "s", 1.0)
    records = records_frame([row("a", 30.0, seconds=1.0), second, row("b", 30.0, seconds=4.0)])
    assert cell_seconds(records) == {("m", "", "Set5", 2.0): 2.5}


@pytest.mark.parametrize(
    ("train", "dataset", "marked"),
    [
        (("DIV2K train",), "DIV2K-valid", False),
        (("DIV2K valid",), "DIV2K-valid", True),
        (("BSDS500",), "BSD100", True),
        (("BSDS500 train", "BSDS500 test"), "BSD100", False),
        (("T91", "Set5"), "Set5", True),
        (("set-5",), "Set5", True),
        (("B100",), "BSD100", True),
        (("Set14",), "Benchmark", True),
        ((), "Set5", False),
    ],
)
def test_a_training_set_that_holds_the_test_set_is_marked(train: tuple[str, ...], dataset: str, marked: bool) -> None:
    """Catches names that are compared letter by letter, and parts of one collection that are taken for each other."""
    sentence = contamination(train, dataset)
    assert bool(sentence) is marked
    if marked:
        assert train[-1] in sentence
        assert dataset in sentence


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
@pytest.mark.parametrize("protocol", ["basicsr-y", "sample", "classic-y"])
def test_a_signature_tells_its_protocol(metric: str, protocol: str) -> None:
    """Catches a number that is shown under a protocol that signs it differently."""
    signature = make_metric(metric).signature(PRESETS[protocol], 4.0)
    names = protocol_names(metric, signature, 4.0)
    assert protocol in names
    for name in set(PRESETS) - set(names):
        assert make_metric(metric).signature(PRESETS[name], 4.0) != signature
