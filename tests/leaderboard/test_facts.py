"""What stands beside a number: its confidence interval, its seconds, and the mark of a training set that holds it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from bench.analysis import records_frame
from bench.analysis.contamination import Seen
from bench.analysis.costs import cell_seconds
from bench.analysis.reported import reported_rows, statements
from bench.api import PRESETS, Method, MethodInfo, RowInfo, UnitStatus, Upscaled
from bench.leaderboard.cards import run_card
from bench.leaderboard.intervals import mean_intervals
from bench.leaderboard.protocols import protocol_names
from bench.leaderboard.reported import reported_board
from bench.metrics.catalog import make_metric
from bench.registry import METHODS

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


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
@pytest.mark.parametrize("protocol", ["basicsr-y", "sample", "classic-y"])
def test_a_signature_tells_its_protocol(metric: str, protocol: str) -> None:
    """Catches a number that is shown under a protocol that signs it differently."""
    signature = make_metric(metric).signature(PRESETS[protocol], 4.0)
    names = protocol_names(metric, signature, 4.0)
    assert protocol in names
    for name in set(PRESETS) - set(names):
        assert make_metric(metric).signature(PRESETS[name], 4.0) != signature


def test_printed_rows_say_whether_the_test_set_was_trained_on() -> None:
    """Catches a page that marks what the audit leaves open, and one that clears what nobody spoke of."""
    board = reported_board(reported_rows())
    entries = [(board.cards[entry.card].method, entry) for entry in board.entries if entry.dataset == "DIV2K-valid"]
    own = {entry.mark: entry.seen for method, entry in entries if method == "CasSR"}
    assert own == {"(†)": Seen.MAYBE}
    told = {training.method for training in statements().training if training.train_sets}
    assert {entry.seen for method, entry in entries if method not in told} == {Seen.UNKNOWN}


class Bare(Method):
    """A method that a package registers as a class, without a spec."""

    info = MethodInfo(name="bare", display="Bare", summary="made up", train_sets=("Set5",))

    def upscale(self, lr: torch.Tensor, size: tuple[int, int], *, seed: int) -> Upscaled:
        raise NotImplementedError


def test_a_method_that_is_registered_as_a_class_has_a_card() -> None:
    """Catches a traceback for want of a spec, and own weights that count as trained like the shipped ones."""
    METHODS.add("bare", Bare, origin="a test")
    try:
        card = run_card(RowInfo(method="bare", variant="", display="Bare"), {})
        own = run_card(RowInfo(method="bare", variant="w", display="Bare (w)", weights_file="w.pth"), {})
    finally:
        METHODS.forget("bare")
    assert (card.summary, card.train_sets) == ("made up", ("Set5",))
    assert own.train_sets is None
