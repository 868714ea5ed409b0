"""What the sizes of images make of a number, decided from records alone."""

from __future__ import annotations

import doctest

import pytest

from bench.analysis import records_frame
from bench.analysis.aggregate import summarise
from bench.analysis.doubts import Doubts
from bench.api import RECORD_COLUMNS, doubts

CELL = ("m", "", "S", 4.0)
LR = "an LR side is below 16 px, the methods see almost nothing"


def sizes(*pairs: tuple[int, int], scale: float = 4.0, metric: str = "psnr", shave: str = "0", seeds: int = 1):
    """Records of one image per SR size."""
    signature = f"{metric}|rgb|shave:{shave}|q:u8|agg:img|v1"
    return records_frame(
        ("m", "", "S", f"i{i}", scale, seed, metric, 30.0, "ok", signature, "o", "s", 0.1, *pair)
        for seed in range(seeds)
        for i, pair in enumerate(pairs)
    )


def doubt(records, metric: str = "psnr", shave: str = "0", scale: float = 4.0, *, scored: bool = True) -> str:
    return Doubts(records).of((*CELL[:3], scale), metric, f"{metric}|rgb|shave:{shave}|v1", scored=scored)


@pytest.mark.parametrize(
    ("sr", "scale", "expected"),
    [((64, 64), 4, ""), ((60, 200), 4, LR), ((200, 60), 4, LR), ((57, 57), 3.6, ""), ((85, 85), 16 / 3, ""),
     ((81, 81), 5.4, LR), ((15, 15), 1, LR)],
)  # fmt: skip
def test_lr_is_what_the_scale_makes_of_sr(sr: tuple[int, int], scale: float, expected: str) -> None:
    """Catches the longer side, the side of SR, and 16 px of LR that a fractional scale rounds to 15.8."""
    assert doubt(sizes(sr, scale=scale), scale=scale) == expected


def test_some_images_of_a_cell_are_counted_once_for_all_seeds_and_metrics() -> None:
    """Catches a cell that is doubtful because of one image without saying so, and counts of records."""
    assert doubt(sizes((60, 60), (64, 64), (128, 128), seeds=3)) == f"{LR} (1 of 3 images)"


def test_a_metric_says_below_which_side_it_means_nothing() -> None:
    """Catches one smallest side for all metrics, and a metric without a number that is not explained."""
    records = sizes((95, 200))
    assert doubt(records, "psnr") == ""
    assert doubt(records, "niqe") == "a side is below 96 px, too small for NIQE to mean anything"
    assert "104 px, too small for PI" in doubt(records, "pi")
    assert doubt(sizes((95, 200), scale=8), "niqe", scale=8, scored=False).startswith("a side is below 96 px")
    assert LR not in doubt(sizes((95, 200), scale=8), "niqe", scale=8, scored=False)
    assert doubt(records, "nobody's") == ""


@pytest.mark.parametrize(
    ("shave", "doubtful"), [("0", False), ("s", False), ("s+6", True), ("5", True), ("new", False)]
)
def test_the_border_is_that_of_the_signature(shave: str, doubtful: bool) -> None:
    """Catches the border of another metric's signature."""
    assert ("10 % of an image side" in doubt(sizes((90, 90)), shave=shave)) is doubtful


def test_the_summary_says_it_of_the_cell_and_nothing_of_files_without_sizes() -> None:
    """Catches sizes that are taken from another scale or method, and files of earlier versions that cannot be read."""
    small, large = sizes((60, 60)), sizes((60, 60), scale=2.0)
    rows = [*small.itertuples(index=False, name=None), *large.itertuples(index=False, name=None)]
    summary = summarise(records_frame(rows), {("m", "", "S", scale, 0): 1 for scale in (4.0, 2.0)})
    assert dict(zip(summary["scale"], summary["doubt"], strict=True)) == {2.0: "", 4.0: LR}
    bare = records_frame(row[: RECORD_COLUMNS.index("height")] for row in rows)
    assert set(summarise(bare, {("m", "", "S", 4.0, 0): 1})["doubt"]) == {""}


def test_examples_of_the_contract() -> None:
    assert doctest.testmod(doubts) == (0, 1)
