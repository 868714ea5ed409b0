"""Averages: hand-computed means, the batch PSNR of Kim et al., seeds, incomplete cells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import records_frame, summarise
from bench.api import SUMMARY_COLUMNS, Aggregation, CellId, Direction, MetricInfo, MetricKind
from bench.metrics import Metric
from bench.registry import METRICS

CELL = ("bicubic", "", "Set5", 2.0, 0)


def _only(frame, **where):
    for column, value in where.items():
        frame = frame.loc[frame[column] == value]
    assert len(frame) == 1, frame
    return frame.iloc[0]


def test_psnr_is_the_mean_of_images_not_of_pooled_error(make_records, rows):
    row = _only(summarise(make_records(rows([20.0, 40.0])), {CELL: 2}))
    assert row["mean"] == 30.0
    assert math.isnan(row["seed_sd"])
    assert (row["n"], row["expected"], row["failed"], row["seeds"], row["note"]) == (2, 2, 0, 1, "")


def test_columns_are_the_contract(make_records, rows):
    assert tuple(summarise(make_records(rows([1.0])), {CELL: 1}).columns) == SUMMARY_COLUMNS


def _kim(psnr: list[float], batch: int = 8) -> float:
    """The running mean of the evaluation loop: PSNR of each batch's mean MSE, weighted by batch size."""
    total = count = 0.0
    for start in range(0, len(psnr), batch):
        part = np.asarray(psnr[start : start + batch])
        mse = np.mean(10 ** (-part / 10))
        total += -10 * math.log10(mse) * len(part)
        count += len(part)
    return total / count


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(10, 60), min_size=1, max_size=27), st.randoms())
def test_batch_psnr_weights_the_last_batch_and_orders_by_id(values, random):
    ids = [f"{i:05d}" for i in range(len(values))]
    found = [
        ("kim", "", "faces", name, 8.0, 0, "psnr", value, "ok", "psnr|rgb|agg:batch8-mse-first100|v1")
        for name, value in zip(ids, values, strict=True)
    ]
    random.shuffle(found)
    row = _only(summarise(records_frame(found), {("kim", "", "faces", 8.0, 0): len(values)}))
    assert row["mean"] == pytest.approx(_kim(values), abs=1e-9)


def test_batches_do_not_run_over_the_end_of_a_cell(make_records, rows):
    sign = "psnr|rgb|agg:batch8-mse|v1"
    first, second = [20.0, 30.0, 25.0], [40.0, 10.0]
    frame = summarise(
        make_records(rows(first, signature=sign), rows(second, signature=sign, seed=1)), {CELL: 3, (*CELL[:4], 1): 2}
    )
    assert _only(frame)["mean"] == pytest.approx((_kim(first) + _kim(second)) / 2)


def test_only_psnr_is_averaged_over_batches(make_records, rows):
    """Catches batches for every metric, and the plain mean for numbers that say they are averaged otherwise."""
    frame = summarise(make_records(rows([0.1, 0.5], metric="lpips", signature="lpips|agg:batch8-mse")), {CELL: 2})
    row = _only(frame)
    assert math.isnan(row["mean"])
    assert (
        row["note"] == "unavailable: its numbers are to be averaged by 'batch8-mse', which lpips does not define here"
    )
    assert (row["n"], row["expected"]) == (2, 2)


def test_a_metric_that_is_not_registered_here_has_the_plain_mean_only(make_records, rows):
    """Catches a lookup that fails for the numbers of another package, and a guess at how they are averaged."""
    plain = rows([1.0, 2.0], metric="theirs", signature="theirs|agg:img-first2|v1")
    other = rows([1.0, 2.0], metric="other", signature="other|agg:median|v1")
    frame = summarise(make_records(plain, other), {CELL: 2})
    assert _only(frame, metric="theirs")["mean"] == 1.5
    assert math.isnan(_only(frame, metric="other")["mean"])
    assert "averaged by 'median'" in _only(frame, metric="other")["note"]


def test_an_aggregation_that_nobody_defines_has_no_mean(make_records, rows):
    """Catches a batch size that is read out of the token instead of a definition that is looked up."""
    row = _only(summarise(make_records(rows([20.0, 40.0], signature="psnr|rgb|agg:batch16-mse|v1")), {CELL: 2}))
    assert math.isnan(row["mean"])
    assert "'batch16-mse'" in row["note"]


def test_an_incomplete_cell_says_so_whatever_its_aggregation(make_records, rows):
    """Catches the reason about the aggregation in place of the count of images."""
    row = _only(summarise(make_records(rows([20.0, None], signature="psnr|rgb|agg:batch16-mse|v1")), {CELL: 2}))
    assert row["note"] == "1/2"


def test_a_metric_brings_its_own_aggregation(make_records, rows):
    """Catches an averaging that knows the aggregations by name: here a metric from outside has the middle value."""
    info = MetricInfo(
        name="spread", display="S", kind=MetricKind.NO_REFERENCE, direction=Direction.LOWER, decimals=2, summary="",
        aggregations=(Aggregation("middle", lambda values: sorted(values)[len(values) // 2]),),
    )  # fmt: skip
    METRICS.add(
        "spread", type("Spread", (Metric,), {"info": info, "signature": None, "compute": None}), origin="a test"
    )
    try:
        parts = [rows([9.0, 1.0, 2.0], metric="spread", signature="spread|agg:middle|v1", seed=seed) for seed in (0, 1)]
        row = _only(summarise(make_records(*parts), {CELL: 3, (*CELL[:4], 1): 3}))
    finally:
        METRICS.forget("spread")
    assert (row["mean"], row["seed_sd"]) == (2.0, 0.0)


def test_sd_is_between_seeds_with_n_minus_one(make_records, rows):
    cells = {(*CELL[:4], seed): 2 for seed in range(3)}
    parts = [rows([m - 1, m + 1], seed=seed) for seed, m in enumerate((20.0, 22.0, 27.0))]
    row = _only(summarise(make_records(*parts), cells))
    assert row["mean"] == pytest.approx(23.0)
    assert row["seed_sd"] == pytest.approx(math.sqrt((9 + 1 + 16) / 2))
    assert row["seeds"] == 3


@pytest.mark.parametrize("values", [[30.0] * 37 + [None] * 63, [30.0] * 37])
def test_incomplete_cell_has_no_mean(make_records, rows, values):
    row = _only(summarise(make_records(rows(values)), {CELL: 100}))
    assert math.isnan(row["mean"])
    assert row["note"] == "37/100"
    assert row["failed"] == len(values) - 37


def test_one_incomplete_seed_is_enough(make_records, rows):
    frame = summarise(make_records(rows([1.0, 2.0]), rows([1.0, None], seed=1)), {CELL: 2, (*CELL[:4], 1): 2})
    assert math.isnan(_only(frame)["mean"])
    assert _only(frame)["note"] == "1/2"


def test_missing_seed_and_missing_cell_do_not_vanish(make_records, rows):
    cells = {CELL: 2, (*CELL[:4], 1): 2, ("liif", "lite", "Set5", 2.0, 0): 2, ("liif", "lite", "Set14", 3.0, 0): 14}
    frame = summarise(make_records(rows([1.0, 2.0])), cells)
    assert _only(frame, method="bicubic")["note"] == "0/2"
    assert _only(frame, dataset="Set5", method="liif")["note"] == "0/2"
    assert _only(frame, dataset="Set5", method="liif")["signature"] == "psnr|rgb|shave:0|agg:img|v1"
    assert _only(frame, dataset="Set14")["note"] == "0/14"


def test_failed_unit_without_metric_or_signature_counts_everywhere(make_records, rows):
    frame = summarise(
        make_records(rows([1.0]), rows([2.0], metric="ssim"), rows([None], metric="", signature="", images=["x"])),
        {CELL: 2},
    )
    assert list(frame["failed"]) == [1, 1]
    assert list(frame["note"]) == ["1/2", "1/2"]
    unsigned = summarise(make_records(rows([1.0]), rows([None], signature="", images=["x"])), {CELL: 2})
    assert (_only(unsigned)["failed"], _only(unsigned)["note"]) == (1, "1/2")


def test_unavailable_metric_says_why_and_is_never_zero(make_records, rows):
    frame = summarise(
        make_records(rows([1.0]), rows([None], metric="niqe", status="unavailable")),
        {CELL: 1},
        unavailable={"niqe": "no file niqe.mat", "pi": "no file ma.mat"},
    )
    assert math.isnan(_only(frame, metric="niqe")["mean"])
    assert _only(frame, metric="niqe")["note"] == "unavailable: no file niqe.mat"
    assert _only(frame, metric="pi")["note"] == "unavailable: no file ma.mat"


def test_infinite_psnr_stays_infinite(make_records, rows):
    row = _only(summarise(make_records(rows([math.inf, 30.0])), {CELL: 2}))
    assert row["mean"] == math.inf
    seeds = summarise(make_records(rows([math.inf]), rows([30.0], seed=1)), {CELL: 1, (*CELL[:4], 1): 1})
    assert _only(seeds)["mean"] == math.inf
    assert math.isnan(_only(seeds)["seed_sd"])


def test_nan_is_not_averaged_away(make_records, rows):
    row = _only(summarise(make_records(rows([math.nan, 30.0], status="ok")), {CELL: 2}))
    assert math.isnan(row["mean"])
    assert (row["note"], row["failed"]) == ("1/2", 1)


def test_set_metric_is_one_value(make_records, rows):
    records = make_records(rows([1.0, 2.0, 3.0]), rows([12.5], metric="fid", images=["*"]))
    row = _only(summarise(records, {CELL: 3}), metric="fid")
    assert (row["mean"], row["n"], row["expected"], row["note"]) == (12.5, 1, 1, "")


def test_cross_scale_mean_leaves_out_its_own_scale(make_records, rows):
    cells = {("m", "", "Set5", s, 0): 1 for s in (4.0, 8.0, 12.0)}
    table = {(4.0, 4): 1.0, (4.0, 8): 0.9, (4.0, 12): 0.7, (8.0, 4): 0.6, (8.0, 12): 0.8, (12.0, 4): 0.5}
    parts = [rows([v], method="m", scale=s, metric=f"selfssim@{ref}") for (s, ref), v in table.items()]
    frame = summarise(make_records(*parts), cells)
    assert _only(frame, scale=4.0, metric="selfssim")["mean"] == pytest.approx(0.8)
    assert _only(frame, scale=8.0, metric="selfssim")["mean"] == pytest.approx(0.7)
    # x12 lacks its comparison with x8: a mean over other references would not be comparable
    assert _only(frame, scale=12.0, metric="selfssim")["note"] == "0/1"


def test_unit_listed_twice_counts_once(make_records, rows):
    row = _only(summarise(make_records(rows([1.0, 2.0]), rows([4.0], images=["im000"])), {CELL: 2}))
    assert row["mean"] == 3.0


def test_first_images_limit_what_is_expected(make_records, rows):
    records = make_records(rows([1.0, 3.0], signature="psnr|rgb|agg:img-first2|v1"))
    assert _only(summarise(records, {CELL: 30000}))["mean"] == 2.0


def test_unexpected_cell_is_held_against_the_images_of_its_dataset(make_records, rows):
    frame = summarise(make_records(rows([1.0, 2.0, 3.0]), rows([1.0], method="other")), {CELL: 3})
    assert _only(frame, method="other")["note"] == "1/3"


def test_order_is_the_request_and_not_the_alphabet(make_records, rows):
    cells = {CellId(m, "", d, s, 0): 1 for m in ("z", "a") for d in ("Z", "B") for s in (8.0, 2.0)}
    parts = [
        rows([1.0], method=c.method, dataset=c.dataset, scale=c.scale, metric=metric)
        for c in sorted(cells)
        for metric in ("lpips", "psnr")
    ]
    frame = summarise(make_records(*parts), cells, metrics=("psnr",))
    assert list(dict.fromkeys(frame["method"])) == ["z", "a"]
    assert list(dict.fromkeys(frame["dataset"])) == ["Z", "B"]
    assert list(dict.fromkeys(frame["scale"])) == [2.0, 8.0]
    assert list(dict.fromkeys(frame["metric"])) == ["psnr", "lpips"]


def test_two_signatures_stay_two_rows(make_records, rows):
    frame = summarise(make_records(rows([1.0]), rows([2.0], signature="psnr|y601s")), {CELL: 1})
    assert sorted(frame["mean"]) == [1.0, 2.0]
