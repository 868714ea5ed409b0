"""Best and second: as printed, by direction, never for what is incomplete."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.selection import Selection
from bench.api import Direction, RequestError
from bench.metrics.fid import FID, bias_note
from bench.report import Mark, arrange, build_table, render_markdown
from bench.report.build import LITE_NOTE
from bench.report.exports import run_tables
from bench.report.model import MethodRow, mark_printed, printed

_SET5 = "Set5"


def _marks(frames, infos, metric="psnr", scale=2.0):
    table = build_table(frames.summary, infos, frames=frames)
    return {row.method: table.cell(_SET5, scale, metric, row).mark for row in table.methods}


def _values(metric="psnr", **by_method):
    return {(name, "", _SET5, 2.0, metric): value for name, value in by_method.items()}


def test_ties_as_printed_share_the_mark(frames_of, infos):
    frames = frames_of(_values(a=30.001, b=30.004, c=29.5, d=29.4))
    assert _marks(frames, infos) == {"a": Mark.BEST, "b": Mark.BEST, "c": Mark.SECOND, "d": Mark.NONE}


def test_lower_is_better_where_the_metric_says_so(frames_of, infos):
    assert _marks(frames_of(_values("lpips", a=0.3, b=0.1, c=0.2)), infos, "lpips") == {
        "a": Mark.NONE,
        "b": Mark.BEST,
        "c": Mark.SECOND,
    }


def test_lone_method_has_no_mark(frames_of, infos):
    assert _marks(frames_of(_values(a=30.0)), infos) == {"a": Mark.NONE}


def test_incomplete_cell_is_neither_marked_nor_a_rival(frames_of, infos):
    frames = frames_of(_values(a=30.0, b=None))
    table = build_table(frames.summary, infos)
    cells = {row.method: table.cell(_SET5, 2.0, "psnr", row) for row in table.methods}
    assert cells["a"].mark is Mark.NONE
    assert (cells["b"].text, cells["b"].value) == ("0/2", None)


def test_metric_without_known_direction_is_not_ranked(frames_of, infos):
    frames = frames_of(_values("mystery", a=1.0, b=2.0))
    assert set(_marks(frames, infos, "mystery").values()) == {Mark.NONE}
    assert any("mystery" in note for note in build_table(frames.summary, infos).notes)


def test_methods_on_different_numbers_of_images_are_not_ranked(frames_of, infos):
    frames = frames_of(_values(a=30.0, b=31.0))
    summary = frames.summary.assign(expected=[2, 3])
    table = build_table(summary, infos)
    assert {table.cell(_SET5, 2.0, "psnr", row).mark for row in table.methods} == {Mark.NONE}
    assert any("different images" in note for note in table.notes)


def test_infinite_is_best_and_printed_as_infinity(frames_of, infos):
    frames = frames_of(_values(a=math.inf, b=31.0))
    assert _marks(frames, infos) == {"a": Mark.BEST, "b": Mark.SECOND}


@pytest.mark.parametrize("variant", ["untrained", "untrained,sd_path=sd-turbo-12ab"])
def test_untrained_methods_stay_out_and_are_named(frames_of, infos, variant):
    values = {("a", "", _SET5, 2.0, "psnr"): 30.0, ("casr", variant, _SET5, 2.0, "psnr"): 50.0}
    table = build_table(frames_of(values).summary, infos)
    assert [row.method for row in table.methods] == ["a"]
    assert any(f"casr ({variant})" in note for note in table.notes)
    only = frames_of({("casr", variant, _SET5, 2.0, "psnr"): 50.0})
    with pytest.raises(RequestError, match="untrained"):
        build_table(only.summary, infos)


def test_negative_zero_prints_as_zero():
    assert printed(-0.001, 2) == "0.00"
    assert printed(-0.006, 2) == "-0.01"
    assert printed(math.inf, 2) == "∞"


_ROWS = st.dictionaries(
    st.sampled_from([MethodRow(name, "", name) for name in "abcdefgh"]), st.floats(-1e3, 1e3), max_size=8
)


@given(_ROWS, st.integers(0, 4), st.sampled_from(list(Direction)))
def test_marks_agree_with_sorting_what_is_printed(values, decimals, direction):
    texts = {row: printed(value, decimals) for row, value in values.items()}
    marks = mark_printed(texts, direction)
    if len(texts) < 2:
        assert set(marks.values()) <= {Mark.NONE}
        return
    sign = -1 if direction is Direction.HIGHER else 1
    distinct = sorted({float(text) for text in texts.values()}, key=lambda x: sign * x)
    for row, text in texts.items():
        place = distinct.index(float(text))
        assert marks[row] is [Mark.BEST, Mark.SECOND, Mark.NONE][min(place, 2)]


def test_a_metric_that_some_row_was_trained_by_is_named_below(frames_of, infos):
    """Catches a best LPIPS that was the training's own loss, printed without a word."""
    values = {("a", "lite,x=1", _SET5, 2.0, m): 0.2 for m in ("lpips", "psnr")} | _values("lpips", b=0.3)
    frames = frames_of(values, minimised={("a", "lite,x=1"): ("lpips",), ("c", ""): ("psnr",)})
    (table,) = run_tables(frames, infos)
    sentence = "LPIPS was part of the loss in the training of a (lite,x=1): not ranked by it."
    assert any(note == sentence for note in table.notes)
    assert LITE_NOTE in table.notes
    (without,) = run_tables(frames, infos, selection=Selection(metrics=("psnr",)))
    assert without.notes == (LITE_NOTE,)


def test_a_row_is_not_crowned_by_the_metric_it_was_trained_by(frames_of, infos):
    """Catches a bold or underlined LPIPS of a network whose loss was LPIPS; the best of the others is the best."""
    infos = infos | {"lpips_squeeze": infos["lpips"]}
    values = _values("lpips", casr=0.1, b=0.2, c=0.3) | _values("lpips_squeeze", casr=0.1, b=0.2, c=0.3)
    frames = frames_of(values, minimised={("casr", ""): ("lpips",)})
    assert _marks(frames, infos, "lpips") == {"casr": Mark.NONE, "b": Mark.BEST, "c": Mark.SECOND}
    assert _marks(frames, infos, "lpips_squeeze") == {"casr": Mark.BEST, "b": Mark.SECOND, "c": Mark.NONE}
    alone = frames_of(_values("lpips", casr=0.1, b=0.2), minimised={("casr", ""): ("lpips",)})
    assert set(_marks(alone, infos, "lpips").values()) == {Mark.NONE}, "a lone ranked value has no rival"


def test_what_a_metric_says_of_few_images_stands_under_the_table(frames_of, infos):
    """Catches an FID of five images that is printed like one of fifty thousand."""
    known = {**infos, "fid": FID.info}
    values = {(name, "", data, 2.0, "fid"): 100.0 for name in "ab" for data in ("Set5", "Big")}
    (table,) = run_tables(frames_of(values, images={"Set5": 5, "Big": 2048}), known)
    assert table.notes == (bias_note(5),)
    assert "FID of 5 images is biased upwards" in render_markdown(arrange(table))
    (other,) = run_tables(frames_of(_values(a=30.0)), known)
    assert other.notes == ()
    (absent,) = run_tables(frames_of(_values("fid", a=None, b=None) | _values(a=30.0)), known)
    assert absent.notes == ()
