"""Tables as text: the same numbers as every other format, in the columns that there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from bench.analysis import RunFrames
from bench.api import MetricInfo
from bench.report import arrange, build_table
from bench.report.exports import typeset
from bench.report.layout import WHOLE
from bench.report.model import Table
from bench.report.text import grid_columns, render_text, terminal_output

_CODE = re.compile(r"\x1b\[[0-9;]*m")
METHODS = ("bicubic", "liif", "lte")
DISPLAYS = {("bicubic", ""): "Bicubic", ("liif", ""): "LIIF with a very long name [12]", ("lte", ""): "LTE"}


@pytest.fixture(scope="module")
def table(frames_of: Callable[..., RunFrames], infos: Mapping[str, MetricInfo]) -> Table:
    """Four scales, two datasets, three metrics, three methods; every number is another one."""
    values = {
        (method, "", dataset, scale, metric): base + step + 0.1 * place + scale / 100
        for step, method in enumerate(METHODS)
        for place, dataset in enumerate(("Set5", "Set14"))
        for scale in (2.0, 3.6, 8.0, 12.0)
        for metric, base in (("psnr", 30.0), ("ssim", 0.5), ("lpips", 0.2))
    }
    return build_table((frames := frames_of(values, displays=DISPLAYS)).summary, infos, frames=frames)


def _numbers(text: str) -> list[str]:
    bare = _CODE.sub("", text)
    return sorted(re.findall(r"(?<![\d.×])\d+\.\d{2,}", bare))


@pytest.mark.parametrize("width", [44, 60, 80, 120, 160, 300])
@pytest.mark.parametrize("styled", [True, False])
def test_every_width_shows_every_number_and_none_is_cut(table: Table, width: int, styled: bool) -> None:
    """Catches numbers, names or headings shortened to fit, and columns that stand out of the terminal."""
    text = typeset([table], terminal_output(width, styled=styled))  # type: ignore[arg-type]
    lines = _CODE.sub("", text).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    assert _numbers(text) == _numbers(render_text(arrange(table, "wide", room=WHOLE)))
    for word in (*DISPLAYS.values(), "×3.6", "×12", "PSNR ↑", "LPIPS ↓", "Set14"):
        assert word in " ".join(lines), word


def test_the_estimate_is_what_is_drawn(table: Table) -> None:
    """Catches an estimate that is too small (a cut table) or too large (a table split for nothing)."""
    for layout in ("wide", "by-metric", "by-scale"):
        (grid,) = arrange(table, layout, room=WHOLE)
        rows = render_text([grid]).split("\n\n")[1].splitlines()
        assert max(map(len, rows)) == grid_columns(grid)


def test_best_and_second_are_told_with_and_without_styles(table: Table) -> None:
    """Catches marks that only a terminal with styles shows, and signs beside styles."""
    (grid,) = arrange(table, "by-metric", room=WHOLE)
    plain = render_text([grid])
    assert "Best with *, second best with +." in plain
    assert "\x1b" not in plain
    assert (plain.count("*"), plain.count("+")) == (24 + 1, 24 + 1)
    styled = render_text([grid], styled=True)
    assert "Best in bold, second best underlined." in styled
    assert (styled.count("*"), styled.count("+")) == (0, 0)
    assert styled.count("\x1b[4m") == 24


def test_digits_stand_below_each_other(table: Table) -> None:
    """Catches signs that push a number out of its column."""
    (grid,) = arrange(table, "by-metric", room=WHOLE)
    rows = [line for line in render_text([grid]).splitlines() if re.search(r"\d\.\d\d[*+ ]", line)]
    psnr = rows[:3]
    assert len({tuple(match.start() for match in re.finditer(r"\.\d\d", row)) for row in psnr}) == 1


def test_what_all_parts_say_is_said_once(table: Table) -> None:
    """Catches the protocol and the signatures repeated below each part of a split table."""
    text = typeset([table], terminal_output(60, styled=False))  # type: ignore[arg-type]
    assert "Part 2 of " in text
    assert text.count("SSIM: ssim|y601s") <= 2
    assert text.count("\nPSNR: psnr|") <= 2


def test_a_signature_is_broken_behind_a_bar_only(table: Table) -> None:
    """Catches signatures folded inside a token."""
    narrow = typeset([table], terminal_output(44, styled=False))  # type: ignore[arg-type]
    joined = narrow.replace("|\n  ", "|")
    assert "psnr|y601s|shave:s|q:u8|agg:img|v1" in joined


def test_a_missing_cell_has_a_letter_and_its_footnote(
    frames_of: Callable[..., RunFrames], infos: Mapping[str, MetricInfo]
) -> None:
    """Catches letters without their footnote, and numbers moved out of their column by a letter."""
    values = {(method, "", "Set5", 2.0, metric): 30.0 for method in METHODS for metric in ("psnr", "ssim")}
    none = {(method, "", "Set5", 2.0, "pi"): None for method in METHODS}
    frames = frames_of({**values, **none}, unavailable={"pi": "no file; get it"})
    text = render_text(arrange(build_table(frames.summary, infos, frames=frames)))
    assert text.count("-- (a)") == 3
    assert "(a) unavailable: no file.\n" in text
