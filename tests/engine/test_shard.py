"""How a run is shared out: every piece of work exactly once, and no part much longer than another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.api import RequestError
from bench.engine.shard import Shard, share_out

works = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1000)), min_size=1, max_size=60)


@given(works, st.integers(1, 12))
def test_of_each_row_no_part_has_more_above_another_than_its_dearest_piece(
    work: list[tuple[str, int]], count: int
) -> None:
    """Catches a split by number of images, by whole rows, or one that only balances the sum over all rows."""
    if len(work) < count:
        with pytest.raises(RequestError, match="cannot be shared out"):
            share_out(work, count)
        return
    homes = share_out(work, count)
    assert set(homes) == set(range(1, count + 1)), "every part has something to do, and there are no others"
    for row in {row for row, _ in work}:
        costs = [max(1, cost) for name, cost in work if name == row]
        loads = [
            sum(max(1, cost) for (name, cost), home in zip(work, homes, strict=True) if name == row and home == part)
            for part in range(1, count + 1)
        ]
        assert max(loads) - min(loads) <= max(costs)


@given(works)
def test_every_machine_shares_out_alike(work: list[tuple[str, int]]) -> None:
    """Catches a split that goes by hashes of a process or by the order of a set."""
    assert share_out(work, 1) == [1] * len(work)
    assert share_out(work, min(3, len(work))) == share_out(tuple(work), min(3, len(work)))


def test_few_images_of_many_rows_reach_every_part() -> None:
    """Catches a split in which rows of fewer images than parts all go to the first parts."""
    homes = share_out([(row, 5) for row in "abcdefgh" for _ in range(2)], 16)
    assert sorted(homes) == list(range(1, 17))


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/2/3", "a/b", "1.0/2", "٣/٤", "1/9999999"])
def test_what_is_no_part_is_refused(text: str) -> None:
    """Catches parts counted from 0, of which the last would never run."""
    with pytest.raises(ValueError, match="such as 3/16"):
        Shard.parse(text)
    assert str(Shard.parse(" 3/16 ")) == "3/16"
