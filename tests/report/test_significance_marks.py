"""Ties by a paired test: who shares the bold, what the table says of it, and nothing where it is not asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis import RunFrames, planned_cells, records_frame
from bench.api import RowInfo
from bench.report import Mark, TableOptions, build_table, render_latex, render_markdown
from bench.report.exports import render_tables
from bench.report.layout import PAGE, SCREEN, arrange

_SIGNED = "{}|y601s|shave:s|q:u8|agg:img|v1"
_ASKED = TableOptions(significance=True)


def _run(metric: str = "psnr", signature: str = _SIGNED, **values: Sequence[float]) -> RunFrames:
    """Methods with a value per image."""
    rows = [
        (method, "", "Set", f"im{i}", 2.0, 0, metric, value, "ok", signature.format(metric), "o", f"h{i}", None)
        for method, own in values.items()
        for i, value in enumerate(own)
    ]
    expected = {(method, "", "Set", 2.0, 0): len(own) for method, own in values.items()}
    return RunFrames(records=records_frame(rows), planned=planned_cells(expected))


def _marks(frames: RunFrames, infos, options: TableOptions, metric: str = "psnr") -> dict[str, Mark]:
    table = build_table(frames.summary, infos, frames=frames, options=options)
    return {row.method: table.cell("Set", 2.0, metric, row).mark for row in table.methods}


def _three(images: int = 40) -> dict[str, np.ndarray]:
    """The best, one that scatters around it, and one that is 0.3 dB worse on every image."""
    rng = np.random.default_rng(4)
    base = rng.normal(27, 3, images)
    return {"best": base + 0.02, "alike": base + rng.normal(-0.01, 0.3, images), "worse": base - 0.28, "low": base - 1}


def test_what_cannot_be_told_from_the_best_shares_its_mark(frames_of, infos) -> None:
    """Catches an unpaired test (all would tie: 3 dB between images) and marks of the printed means alone."""
    marks = _marks(_run(**_three()), infos, _ASKED)
    assert marks == {"best": Mark.BEST, "alike": Mark.BEST, "worse": Mark.SECOND, "low": Mark.NONE}
    plain = _marks(_run(**_three()), infos, TableOptions())
    assert plain == {"best": Mark.BEST, "alike": Mark.SECOND, "worse": Mark.NONE, "low": Mark.NONE}


def test_a_row_trained_by_the_metric_is_neither_best_nor_tied(infos) -> None:
    """Catches ties that bring back the mark that was taken from a row which was trained by what judges it."""
    frames = replace(_run(**_three()), rows=[RowInfo(method="best", variant="", display="best", minimised=("psnr",))])
    marks = _marks(frames, infos, _ASKED)
    assert marks == {"best": Mark.NONE, "alike": Mark.BEST, "worse": Mark.SECOND, "low": Mark.NONE}


def test_the_lowest_is_the_best_where_lower_is_better(infos) -> None:
    """Catches a best that is taken to be the largest mean."""
    values = {name: 40 - own for name, own in _three().items()}
    marks = _marks(_run("niqe", **values), infos, _ASKED, "niqe")
    assert marks == {"best": Mark.BEST, "alike": Mark.BEST, "worse": Mark.SECOND, "low": Mark.NONE}


def test_footnote_names_the_test_in_both_languages(infos) -> None:
    """Catches shared bold that no reader can explain."""
    frames = _run(**_three())
    table = build_table(frames.summary, infos, frames=frames, options=_ASKED)
    for text in (
        render_markdown(arrange(table, "auto", room=SCREEN)),
        render_latex(arrange(table, "auto", room=PAGE)),
    ):
        assert "paired permutation test over images" in text
        assert "Holm" in text


def test_five_images_keep_the_marks_of_the_means(infos) -> None:
    """Catches a whole column in bold because five images can tell nothing."""
    frames = _run(**_three(5))
    assert _marks(frames, infos, _ASKED) == _marks(frames, infos, TableOptions())
    notes = build_table(frames.summary, infos, frames=frames, options=_ASKED).notes
    assert any("fewer than 6 images decide nothing: Set" in note for note in notes)


def test_means_of_batches_keep_the_marks_of_the_means(infos) -> None:
    """Catches a test on images for a number that is no mean over images."""
    frames = _run(signature=_SIGNED.replace("agg:img", "agg:batch8-mse"), **_three())
    table = build_table(frames.summary, infos, frames=frames, options=_ASKED)
    assert any("no values of single images: PSNR" in note for note in table.notes)


def test_nothing_changes_where_it_is_not_asked_for(infos) -> None:
    """Catches a test that is made, or a note that is printed, by default."""
    frames = _run(**_three())
    for output in ("md", "tex"):
        assert "permutation" not in render_tables(frames, infos, output=output)
