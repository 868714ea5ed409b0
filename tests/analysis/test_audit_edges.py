"""The audit where numbers are equal, exact or rounded, and where a file lists them in another order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.analysis.audit import Finding, audit, read_evidence
from bench.metrics.psnr import psnr_of_batches

HEAD = "method,dataset,scale,metric,value,mark,direction"


def findings(tmp_path: Path, check: str, *lines: str, head: str = HEAD) -> list[Finding]:
    """What a check finds in a file of these lines."""
    path = tmp_path / "table.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
    return list(audit("a table", read_evidence(str(path)), only=[check]).findings)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        (("37.2,second", "36.2,", "35.2,"), "a is marked second, and is number 1"),
        (("37.2,", "36.2,best", "35.2,"), "b is marked best, and is number 2"),
        (("37.2,best", "36.2,", "35.2,second"), "c is marked second, and is number 3"),
        (("37.2,best", "36.2,second", "35.2,"), ""),
        (("37.2,best", "37.2,second", "35.2,"), ""),
        (("37.2,best", "37.2,best", "35.2,second"), ""),
        ((",", "36.2,second", "35.2,"), ""),
    ],
)
def test_a_mark_is_held_against_the_place_of_its_value(tmp_path: Path, marks: tuple[str, ...], message: str) -> None:
    """Catches a best value that passes as the second, a second place behind two equal firsts that does not, and a first
    place that is one only because the value above it is lost."""
    lines = [f"{name},Set5,2,psnr,{mark},higher" for name, mark in zip("abc", marks, strict=True)]
    assert [found.message for found in findings(tmp_path, "marks", *lines)] == ([message] if message else [])


def test_copied_rows_are_told_once_in_any_order_of_lines(tmp_path: Path) -> None:
    """Catches copies that are looked up in one order of the two methods and listed in the other."""
    values = {"2": "37.251", "3": "33.101", "4": "31.205", "8": "27.904"}
    lines = [
        f"{name},Set5,{scale},psnr,{value},,"
        for turn, (scale, value) in enumerate(values.items())
        for name in ("ab" if turn % 2 else "ba")
    ]
    assert len(findings(tmp_path, "duplicate-rows", *lines)) == 1
    assert not findings(tmp_path, "repeated-values", *lines)


def test_repeated_values_are_of_two_methods_and_two_scales(tmp_path: Path) -> None:
    """Catches a line that stands twice, a comparison of a scale with itself, and an exponent that counts as digits."""
    twice = ["a,Set5,2,psnr,37.2511,,"] * 2
    diagonal = [f"{name},Set5,2,selfssim@2,1.00000,," for name in "ab"]
    exponent = [f"{name},Set5,2,lpips,1.5e-07,," for name in "ab"]
    assert not findings(tmp_path, "repeated-values", *twice, *diagonal, *exponent)
    assert len(findings(tmp_path, "repeated-values", *twice, "b,Set5,2,psnr,37.2511,,")) == 2


@pytest.mark.parametrize(
    ("metric", "value", "count"),
    [
        ("ssim", "1.0000000000000002", 0),
        ("dists", "-1.2e-07", 0),
        ("fid", "-0.00003", 0),
        ("ssim", "1.0002", 1),
        ("fid", "-0.2", 1),
    ],
)
def test_rounding_at_the_end_of_a_range_is_no_error(tmp_path: Path, metric: str, value: str, count: int) -> None:
    """Catches an exact result that fails a table in continuous integration."""
    assert len(findings(tmp_path, "out-of-range", f"a,Set5,2,{metric},{value},,")) == count


def test_records_are_averaged_as_their_signature_says(tmp_path: Path) -> None:
    """Catches the mean of decibels under a signature of the decibels of mean errors, and seeds that are images."""
    values = {"i2": 40.0, "i0": 20.0, "i1": 30.0}
    path = tmp_path / "records.csv"
    lines = [f"m,S,2,psnr,{v + s},{i},{s},psnr|rgb|agg:batch8-mse|v1" for s in (0, 1) for i, v in values.items()]
    path.write_text("\n".join(("method,dataset,scale,metric,value,image,seed,signature", *lines)) + "\n")
    (number,) = read_evidence(str(path)).numbers
    wanted = [psnr_of_batches([20.0 + s, 30.0 + s, 40.0 + s]) for s in (0, 1)]
    assert number.value == pytest.approx(sum(wanted) / 2, abs=1e-12)
    assert number.value < 29


def test_an_unknown_aggregation_has_no_value(tmp_path: Path) -> None:
    """Catches a plain mean of numbers that are to be averaged otherwise."""
    path = tmp_path / "records.csv"
    path.write_text("method,dataset,scale,metric,value,image,signature\nm,S,2,psnr,30,i,psnr|rgb|agg:other|v1\n")
    assert [str(number.value) for number in read_evidence(str(path)).numbers] == ["nan"]


def test_a_name_may_hold_a_separator_of_lines(tmp_path: Path) -> None:
    """Catches a reader that ends lines where Python's texts do: at U+2028, U+0085 or a form feed in a name."""
    for sign in ("\u2028", "\x85", "\x0c"):
        path = tmp_path / "table.csv"
        path.write_text(f"method,dataset,scale,metric,value\nm,a{sign}b,2,psnr,30\n", encoding="utf-8", newline="\n")
        assert [number.dataset for number in read_evidence(str(path)).numbers] == [f"a{sign}b"]
