"""Ranks: what may be compared, ties, incomplete cells, and means over the same scales."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from bench.api import Direction
from bench.leaderboard.entry import Board, Card, Entry, Kind, ShownMetric
from bench.leaderboard.ranks import mean_ranks, ranked
from bench.leaderboard.tables import markdown_text

SIGNATURE = "psnr|rgb|shave:0|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"
PSNR = ShownMetric("psnr", "PSNR", Direction.HIGHER, 2)


def entry(card: int, value: float | None, scale: float = 2.0, **others: object) -> Entry:
    text = "3/5" if value is None else f"{value:.2f}"
    facts = {"signature": SIGNATURE, "n": 5, "expected": 5, "protocol": "sample", "images": "a", **others}
    return Entry(card=card, dataset="Set5", scale=scale, metric="psnr", value=value, text=text, **facts)


def board(entries: list[Entry], metric: ShownMetric = PSNR) -> Board:
    count = 1 + max(e.card for e in entries)
    cards = tuple(Card(display=f"m{i}", method=f"m{i}", kind=Kind.MEASURED, source="run") for i in range(count))
    return Board(cards, tuple(entries), (metric,))


@given(st.lists(st.integers(2000, 4000).map(lambda n: n / 100), min_size=2, max_size=8), st.sampled_from(Direction))
def test_ranks_are_those_of_scipy(values: list[float], direction: Direction) -> None:
    """Catches a rank in the wrong direction, and ties that are broken by order."""
    made = ranked(board([entry(i, v) for i, v in enumerate(values)], ShownMetric("psnr", "PSNR", direction, 2)))
    sign = -1 if direction is Direction.HIGHER else 1
    assert [e.rank for e in made.entries] == rankdata([sign * v for v in values], "min").tolist()


def test_an_incomplete_cell_has_no_rank_and_moves_nobody() -> None:
    """Catches a rank for 3/5 images, and a comparison that counts it."""
    made = ranked(board([entry(0, 30.0), entry(1, None, n=3), entry(2, 29.0)])).entries
    assert [(e.rank, e.of) for e in made] == [(1, 2), (None, 0), (2, 2)]


@pytest.mark.parametrize(
    "other",
    [
        {"signature": SIGNATURE.replace("shave:0", "shave:s")},
        {"images": "b"},
        {"expected": 3, "n": 3},
        {"table": "paper/table1"},
    ],
    ids=["signature", "images", "count", "printed"],
)
def test_what_cannot_be_compared_is_not_ranked_together(other: dict[str, object]) -> None:
    """Catches a ranking over two signatures, two sets of images, a part of a set, or over printed numbers."""
    made = ranked(board([entry(0, 30.0), entry(1, 31.0), entry(2, 40.0, **other), entry(3, 41.0, **other)])).entries
    assert [(e.rank, e.of) for e in made] == [(2, 2), (1, 2), (2, 2), (1, 2)]


def test_equal_prints_share_a_rank() -> None:
    """Catches a rank by digits that nobody sees."""
    made = ranked(board([entry(0, 30.001), entry(1, 30.004), entry(2, 29.0)])).entries
    assert [e.rank for e in made] == [1, 1, 3]


def test_a_metric_without_direction_is_not_ranked() -> None:
    """Catches a guess at which way is better."""
    made = ranked(board([entry(0, 30.0), entry(1, 31.0)], ShownMetric("psnr", "PSNR", None, 2)))
    assert [e.rank for e in made.entries] == [None, None]
    assert mean_ranks(made) == ()


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=2, max_size=6))
def test_mean_ranks_are_the_means_of_scipys_average_ranks(rows: list[tuple[int, ...]]) -> None:
    """Catches ties at the best place instead of the mean one: the sum of mean ranks is then too small."""
    scales = (2.0, 3.0, 4.0)
    entries = [entry(c, float(v), s) for c, row in enumerate(rows) for s, v in zip(scales, row, strict=True)]
    (ranking,) = mean_ranks(board(entries))
    columns = [rankdata([-row[i] for row in rows]) for i in range(3)]
    expected = {card: sum(column[card] for column in columns) / 3 for card in range(len(rows))}
    assert {row.card: row.mean for row in ranking.rows} == pytest.approx(expected)
    assert ranking.scales == scales


def test_a_method_without_all_scales_has_no_mean_rank_and_moves_nobody() -> None:
    """Catches a mean over the easy scales alone."""
    entries = [entry(c, 30.0 + c, s) for c, s in itertools.product(range(2), (2.0, 4.0))]
    (ranking,) = mean_ranks(board([*entries, entry(2, 99.0, 2.0)]))
    assert [(row.card, row.mean, row.cells, row.of) for row in ranking.rows] == [
        (1, 1.0, 2, 2),
        (0, 2.0, 2, 2),
        (2, None, 1, 2),
    ]


def test_a_row_is_not_ranked_by_what_it_was_trained_by() -> None:
    """Catches a first place, and a best mean rank, of a network by the metric that its loss minimised."""
    plain = board([entry(card, 30.0 + card, scale) for card in range(3) for scale in (2.0, 4.0)])
    cards = (*plain.cards[:2], replace(plain.cards[2], minimised=("psnr",)))
    made = ranked(replace(plain, cards=cards))
    assert [(e.rank, e.of) for e in made.entries if e.scale == 2.0] == [(2, 2), (1, 2), (None, 0)]
    (ranking,) = mean_ranks(made)
    assert [(row.card, row.mean) for row in ranking.rows] == [(1, 1.0), (0, 2.0)]
    text = markdown_text(made, "Board")
    assert "| m2 | 32.00‡ | 32.00‡ |" in text
    assert "not ranked by it" in text
    assert "not ranked by it" not in markdown_text(ranked(plain), "Board")


def test_a_mean_rank_covers_one_way_of_drawing_lr() -> None:
    """Catches a mean over x2 of clean LR and x4 of degraded LR that one name of a protocol holds together."""
    drawn = SIGNATURE.replace("matlab-bicubic", "real-esrgan@0")
    own = [entry(card, 30.0 + card) for card in range(2)]
    rankings = mean_ranks(board([*own, *(entry(card, 20.0 + card, 4.0, signature=drawn) for card in range(2))]))
    assert [ranking.scales for ranking in rankings] == [(2.0,), (4.0,)]
