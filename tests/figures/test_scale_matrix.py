"""The matrix of scales: which way round it is, what is averaged, what is refused, and that nothing vanishes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis import Selection, records_frame, summarise
from bench.api import RequestError
from bench.figures.selfssim.matrix import DIAGONAL, MATRIX_COLUMNS, NOT_ASKED, MatrixCell, matrix_rows, scale_matrices

SIGN = "selfssim|rgb|ref:column|lr:a|v1"


def cells_of(*scales: float, method: str = "m", dataset: str = "Set5", seeds=(0,), images: int = 1) -> dict:
    return {(method, "", dataset, scale, seed): images for scale in scales for seed in seeds}


@pytest.fixture
def compared(rows):
    """compared({(output, reference): values of the images}, ...) -> rows of records."""

    def make(table: dict, metric: str = "selfssim", signature: str = SIGN, **more) -> list[tuple]:
        more = {"method": "m", **more}
        found = [
            rows(values, scale=float(a), metric=f"{metric}@{b:.10g}", signature=signature, **more)
            for (a, b), values in table.items()
        ]
        return [row for part in found for row in part]

    return make


def matrices(records: list[tuple], expected: dict, *, metric: str = "selfssim", protocols=None, **chosen):
    summary = summarise(records_frame(records), expected)
    return scale_matrices(matrix_rows(summary, metric, Selection(**chosen), protocols=protocols))


def means(matrix) -> list[list[float | None]]:
    return [[cell.mean for cell in row] for row in matrix.cells]


def test_rows_are_outputs_and_columns_references_and_not_the_other_way_round(compared) -> None:
    table = {(12, 5.3): [0.935], (5.3, 12): [0.889], (7, 5.3): [0.971], (5.3, 7): [0.961], (7, 12): [0.885]}
    (matrix,) = matrices(compared({**table, (12, 7): [0.911]}), cells_of(12.0, 5.3, 7.0))
    assert matrix.scales == (5.3, 7.0, 12.0)
    assert means(matrix) == [[1, 0.961, 0.889], [0.971, 1, 0.885], [0.935, 0.911, 1]]
    assert (matrix.metric, matrix.dataset, matrix.method, matrix.variant) == ("selfssim", "Set5", "m", "")


def test_an_incomplete_cell_has_its_count_and_no_mean_over_what_is_there(compared) -> None:
    given = {(2, 4): [0.5] * 37 + [None] * 63, (4, 2): [0.25] * 100}
    (matrix,) = matrices(compared(given), cells_of(2.0, 4.0, images=100))
    assert matrix.cells[0][1] == MatrixCell(None, 37, 100, SIGN, "37/100")
    assert matrix.cells[1][0] == MatrixCell(0.25, 100, 100, SIGN, "")
    assert (matrix.cells[0][0], matrix.cells[1][1]) == (DIAGONAL, DIAGONAL)


def test_seeds_weigh_the_same_whatever_their_number_of_images(compared) -> None:
    records = [
        *compared({(2, 4): [0.1, 0.2, 0.3], (4, 2): [0.5] * 3}),
        *compared({(2, 4): [0.8], (4, 2): [0.5]}, seed=1),
    ]
    expected = {**cells_of(2.0, 4.0, images=3), **cells_of(2.0, 4.0, seeds=(1,))}
    (matrix,) = matrices(records, expected)
    assert matrix.cells[0][1].mean == pytest.approx((0.2 + 0.8) / 2)  # pooled: 0.35


def test_one_incomplete_seed_leaves_no_mean_of_the_others(compared) -> None:
    good = {(2, 4): [0.1, 0.2], (4, 2): [0.5, 0.5]}
    records = [*compared(good), *compared({**good, (2, 4): [0.1, None]}, seed=1)]
    (matrix,) = matrices(records, cells_of(2.0, 4.0, seeds=(0, 1), images=2))
    assert (matrix.cells[0][1].mean, matrix.cells[0][1].note) == (None, "1/2")
    assert matrix.cells[1][0].mean == 0.5


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_means_are_those_of_each_image_over_seeds_and_then_over_images(size, seeds, images, noise) -> None:
    values = np.random.default_rng(noise).uniform(-1, 1, (size, size, images, seeds))
    scales = [1.5 + 2 * i for i in range(size)]
    records = [
        ("m", "", "Set5", f"i{image}", a, seed, f"selfssim@{b:.10g}", values[i, j, image, seed], "ok", SIGN)
        for i, a in enumerate(scales)
        for j, b in enumerate(scales)
        if i != j
        for image in range(images)
        for seed in range(seeds)
    ]
    (matrix,) = matrices(records, cells_of(*scales, seeds=range(seeds), images=images))
    wanted = values.mean(axis=3).mean(axis=2)
    np.fill_diagonal(wanted, 1)
    assert np.allclose(np.array(means(matrix), dtype=float), wanted, atol=1e-12)


def test_a_scale_at_which_every_image_failed_stays_as_none_of_n(compared) -> None:
    pairs = {(2, 4): [0.5] * 3, (4, 2): [0.5] * 3}
    (matrix,) = matrices(compared(pairs), cells_of(2.0, 4.0, 30.0, images=3))
    assert matrix.scales == (2.0, 4.0, 30.0)
    assert [cell.note for cell in (*matrix.cells[2][:2], matrix.cells[0][2], matrix.cells[1][2])] == ["0/3"] * 4
    assert matrix.cells[2][2] is DIAGONAL


def test_a_method_that_is_not_begun_is_shown_and_one_that_was_not_asked_is_not_none_of_n(compared) -> None:
    expected = {**cells_of(2.0, 4.0, 8.0), **cells_of(2.0, 4.0, 8.0, method="late"), **cells_of(2.0, 8.0, method="few")}
    pairs = {(a, b): [0.5] for a in (2, 4, 8) for b in (2, 4, 8) if a != b}
    first, late, few = matrices(compared(pairs), expected)
    assert [first.method, late.method, few.method] == ["m", "late", "few"]
    assert {cell.note for row in late.cells for cell in row} == {"", "0/1"}
    assert few.scales == first.scales == (2.0, 4.0, 8.0)
    assert few.cells[0][1] == few.cells[1][2] == NOT_ASKED
    assert (few.cells[0][2].note, few.cells[2][0].note) == ("0/1", "0/1")


def test_two_ways_of_making_one_matrix_are_refused_even_where_no_cell_has_both(compared) -> None:
    other = SIGN.replace("rgb", "y601s")
    records = [*compared({(2, 4): [0.5]}), *compared({(4, 2): [0.5]}, signature=other)]
    with pytest.raises(RequestError, match="cannot mix protocols: selfssim: rgb vs y601s"):
        matrices(records, cells_of(2.0, 4.0))
    with pytest.raises(RequestError, match="--protocol P or --protocol Q"):
        matrices(records, cells_of(2.0, 4.0), protocols={SIGN: ("P",), other: ("Q",)})


def test_two_methods_made_in_different_ways_do_not_stand_side_by_side(compared) -> None:
    other = SIGN.replace("rgb", "y601s")
    pairs = {(2, 4): [0.5], (4, 2): [0.5]}
    records = [*compared(pairs), *compared(pairs, signature=other, method="n")]
    expected = {**cells_of(2.0, 4.0), **cells_of(2.0, 4.0, method="n")}
    with pytest.raises(RequestError, match="rgb vs y601s"):
        matrices(records, expected)


def test_what_changes_with_the_scale_within_one_protocol_is_no_mixture(compared) -> None:
    coarse = SIGN.replace("lr:a", "lr:b")
    records = [*compared({(2, 8): [0.5]}), *compared({(8, 2): [0.25]}, signature=coarse)]
    protocols = dict.fromkeys((SIGN, coarse), ("P",))
    for chosen in ({}, {"protocol": "P"}):
        (matrix,) = matrices(records, cells_of(2.0, 8.0), protocols=protocols, **chosen)
        assert (matrix.cells[0][1].signature, matrix.cells[1][0].signature) == (SIGN, coarse)


@pytest.mark.parametrize("chosen", [{"protocol": "P"}, {"signature": ("rgb",)}])
def test_a_chosen_protocol_brings_its_own_scales_and_none_of_the_other(compared, chosen) -> None:
    other = SIGN.replace("rgb", "y601s")
    records = [
        *compared({(2, 4): [0.5], (4, 2): [0.25]}),
        *compared({(a, b): [0.75] for a in (2, 4, 8) for b in (2, 4, 8) if a != b}, signature=other),
    ]
    (matrix,) = matrices(records, cells_of(2.0, 4.0, 8.0), protocols={SIGN: ("P",), other: ("Q",)}, **chosen)
    assert means(matrix) == [[1, 0.5], [0.25, 1]]


def test_metrics_that_begin_alike_are_two_matrices(compared) -> None:
    pairs = {(2, 4): [0.5], (4, 2): [0.25]}
    nearest = {(2, 4): [0.75], (4, 2): [0.125]}
    records = [*compared(pairs), *compared(nearest, "selfssim_msssim_nn", "selfssim_msssim_nn|v1")]
    (first,) = matrices(records, cells_of(2.0, 4.0))
    (second,) = matrices(records, cells_of(2.0, 4.0), metric="selfssim_msssim_nn")
    assert means(first) == [[1, 0.5], [0.25, 1]]
    assert means(second) == [[1, 0.75], [0.125, 1]]


def test_chosen_scales_are_left_out_of_rows_and_of_columns(compared) -> None:
    pairs = {(a, b): [a / 10 + b / 100] for a in (2, 4, 8) for b in (2, 4, 8) if a != b}
    (matrix,) = matrices(compared(pairs), cells_of(2.0, 4.0, 8.0), scales=(8.0, 2.0))
    assert matrix.scales == (2.0, 8.0)
    assert means(matrix) == [[1, pytest.approx(0.28)], [pytest.approx(0.82), 1]]


def test_methods_and_datasets_come_in_the_order_that_was_asked_for(compared) -> None:
    pairs = {(2, 4): [0.5], (4, 2): [0.5]}
    places = [(method, dataset) for method in "ab" for dataset in ("Z", "Y")]
    records = [row for m, d in places for row in compared(pairs, method=m, dataset=d)]
    expected = {cell: 1 for m, d in places for cell in cells_of(2.0, 4.0, method=m, dataset=d)}
    found = matrices(records, expected, methods=("b", "a"), datasets=("Y", "Z"))
    assert [(m.dataset, m.method) for m in found] == [("Y", "b"), ("Y", "a"), ("Z", "b"), ("Z", "a")]


def test_rows_are_a_frame_that_tables_can_read(compared) -> None:
    frame = matrix_rows(
        summarise(records_frame(compared({(2, 3.5): [0.5], (3.5, 2): [0.25]})), cells_of(2.0, 3.5)), "selfssim"
    )
    assert tuple(frame.columns) == MATRIX_COLUMNS
    assert list(frame["metric"]) == ["selfssim@3.5", "selfssim@2"]
    assert not any(math.isnan(mean) for mean in frame["mean"])


@pytest.mark.parametrize(
    ("metric", "chosen", "words"),
    [
        ("selfsim", {}, "Did you mean 'selfssim'"),
        ("psnr", {}, "only of selfssim; repeat it with the same --out"),
        ("selfssim_msssim_nn", {}, "--metrics selfssim_msssim_nn"),
        ("selfssim", {"scales": (4.0,)}, "left with one"),
        ("selfssim", {"scales": (3.0,)}, "it holds 2, 4"),
        ("selfssim", {"methods": ("mm",)}, "Did you mean 'm'"),
        ("selfssim", {"protocol": "Q"}, "'Q'"),
        ("selfssim", {"signature": ("y709",)}, "y709"),
    ],
)
def test_what_is_not_in_the_run_is_named_with_what_is(metric, chosen, words, compared, rows) -> None:
    records = [*compared({(2, 4): [0.5], (4, 2): [0.25]}), *rows([30.0], method="m")]
    with pytest.raises(RequestError, match=words):
        matrices(records, cells_of(2.0, 4.0), metric=metric, protocols={SIGN: ("P",)}, **chosen)


def test_a_run_that_compares_no_scales_says_what_to_run(rows) -> None:
    with pytest.raises(RequestError, match=r"compares no scales.*--scales and --metrics selfssim"):
        matrices(rows([30.0], method="m"), cells_of(2.0))
