"""Decimal points of a column stand one below another, and what a sign or a letter adds moves none of them."""

from __future__ import annotations

import doctest

from bench.report import alignment, render_tables
from bench.report.alignment import Alignment
from bench.report.plain import PlainBlock, PlainTable, render_plain


def test_shorter_numbers_get_the_digits_that_they_lack(frames_of, infos) -> None:
    """Catches 7.24 centred below 10.44, and digits that are padded over blocks of other metrics."""
    values = {"a": 7.24, "b": 10.44, "c": 123.5}
    frames = frames_of(
        {(name, "", "S", 2.0, "niqe"): value for name, value in values.items()}
        | {(name, "", "S", 2.0, "ssim"): 0.5 for name in values}
    )
    tex = render_tables(frames, infos, output="tex")
    assert r"\phantom{00}\textbf{7.24}" in tex
    assert r"\phantom{0}\underline{10.44}" in tex
    assert tex.count(r"\phantom") == 2


def test_a_difference_without_a_sign_leaves_room_for_it() -> None:
    """Catches 0.00 that stands a sign further left than +1.25."""
    column = Alignment(["+1.25", "0.00", "-12.30"])
    assert [column.missing(text) for text in ("+1.25", "0.00", "-12.30")] == ["0", "-0", ""]


def test_the_example_of_the_module() -> None:
    assert doctest.testmod(alignment) == (0, 2)


def test_a_plain_table_says_minus_and_keeps_hyphens() -> None:
    """Catches hyphens before numbers, and minus signs inside names and ranges of pages."""
    table = PlainTable(
        caption="c", label="tab:c", head=("", "d"), blocks=[PlainBlock("", [("x2-a 1-4", "-1.5"), ("i", "[-.3,-2]")])]
    )
    tex = render_plain(table, "tex")
    assert "x2-a 1-4 & {}$-$1.5" in tex
    assert "{[}$-$.3,$-$2{]}" in tex
    assert r"\label{tab:c}" in tex
