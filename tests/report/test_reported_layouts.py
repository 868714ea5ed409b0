"""Published tables in their papers' own layouts, with marks from the printed numbers."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from bench.analysis.reported import reported_rows, reported_table, table_names
from bench.api import RequestError
from bench.report.model import Mark
from bench.report.reported import render_names, render_reported, reported_grid

NAMES = table_names(reported_rows())


def heads(name: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """(groups, columns, blocks, rows of the first block) of a table in plain text."""
    grid = reported_grid(reported_table(name))
    rows = [row.name for row in grid.blocks[0].rows]
    plain = ([head.plain for head in part] for part in (grid.groups, grid.columns))
    return (*plain, [block.title.plain for block in grid.blocks], rows)  # type: ignore[return-value]


def test_methods_down_and_scales_across() -> None:
    groups, columns, blocks, rows = heads("casr_supplement/table2")
    assert groups == ["×8", "×12", "×18", "×24", "×30"]
    assert columns == ["MUSIQ ↑", "NIQE ↓", "PI ↓"] * 5
    assert blocks == ["Benchmark", "RealSRSet"]
    assert rows == ["LINF", "BFSR", "IDM", "Kim", "LIIF + Diff", "CiaoSR + Diff", "CASR"]


def test_scales_down_and_datasets_across() -> None:
    groups, columns, blocks, rows = heads("blind_assr/table1")
    assert groups == ["Set5", "Set14", "BSD100", "Urban100"]
    assert columns == ["PSNR ↑", "SSIM ↑"] * 4
    assert (blocks, len(rows)) == (["×3", "×3.6", "×4"], 8)


def test_metrics_down_and_methods_across() -> None:
    _, columns, blocks, rows = heads("cassr/table1")
    assert (columns[0], columns[-1]) == ("BSRGAN", "CasSR(Ours)")
    assert blocks == ["DIV2K-valid", "DRealSR", "RealSR"]
    assert rows == ["FID ↓", "DISTS ↓", "LPIPS ↓", "MUSIQ ↑", "MANIQA ↑", "CLIPIQA ↑", "NIQE ↓"]


def test_a_matrix_of_scales_beside_two_metrics() -> None:
    """PSNR of a scale stands in the row of that scale, where the paper has it."""
    grid = reported_grid(reported_table("casarbi/table6"))
    assert [head.plain for head in grid.columns] == ["×5.3", "×7", "×10", "×10.7", "×12", "PSNR ↑", "LPIPS ↓"]
    ours = grid.blocks[2]
    assert ours.title.plain == "SCG with (Ours)"
    assert [cell.text for cell in ours.rows[1].cells] == [
        "0.969",
        "1.000",
        "0.891",
        "0.886",
        "0.880",
        "24.14",
        "0.0753",
    ]


def test_marks_come_from_the_numbers() -> None:
    """The paper's claim of best LPIPS at every scale must not decide: Kim is better at ×5.3 and ×7."""
    grid = reported_grid(reported_table("casarbi/table1"))
    rows = {row.name: row.cells for row in grid.blocks[0].rows}
    lpips = [place for place, head in enumerate(grid.columns) if head.text == "LPIPS"]
    assert [rows["Kim"][i].mark for i in lpips] == [Mark.BEST, Mark.BEST, Mark.SECOND, Mark.SECOND, Mark.SECOND]
    assert [rows["Ours"][i].mark for i in lpips] == [Mark.SECOND, Mark.SECOND, Mark.BEST, Mark.BEST, Mark.BEST]


def test_ties_share_a_mark_and_the_diagonal_has_none() -> None:
    """0.889 is printed for both at ×12 from ×5.3; a scale against itself is 1 for everybody."""
    grid = reported_grid(reported_table("casarbi/table2"))
    kim, ours = grid.blocks[1].rows, grid.blocks[2].rows
    assert kim[0].cells[4].mark is ours[0].cells[4].mark is Mark.BEST
    assert all(block.rows[i].cells[i].mark is Mark.NONE for block in grid.blocks for i in range(5))


def test_values_are_printed_with_the_papers_digits() -> None:
    """A float would print 25.1680 as 25.168 and .760 as 0.76."""
    assert ".760" in {cell.text for cell in reported_grid(reported_table("casr_supplement/table4")).cells}
    assert "123.0671" in render_reported("cassr/table1", "md")
    assert "24.8790" in render_reported("blind_assr/table1", "md")


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_printed(name: str) -> None:
    """A layout that lets two numbers fall on one place loses one of them."""
    rows = reported_table(name)
    printed = sorted(cell.text for cell in reported_grid(rows).cells if cell.value is not None)
    assert printed == sorted(row.value for row in rows if row.value)


@pytest.mark.parametrize("name", NAMES)
def test_latex_is_balanced_and_labelled(name: str) -> None:
    text = render_reported(name, "tex")
    widths = {line.count(" & ") for line in text.splitlines() if line.endswith(r"\\") and "multicolumn" not in line}
    widths.discard(0)
    assert len(widths) == 1, name
    assert text.count("{") == text.count("}")
    assert rf"\label{{tab:{name.replace('/table', '-')}}}" in text


def test_what_is_not_known_is_said_below() -> None:
    text = render_reported("casarbi/table1", "md")
    assert "LIIF, SR3, IDM, Kim: taken by the paper from the method's own paper" in text
    assert "PSNR, LPIPS, FID: the paper does not say how." in text
    assert "LTE BSD100 ×4 SSIM: printed as 0/ .6741." in render_reported("blind_assr/table1", "md")
    assert "Number of images" not in text


def test_csv_is_what_is_stored() -> None:
    rows = list(csv.DictReader(StringIO(render_reported("casarbi/table6", "csv"))))
    assert len(rows) == 105
    assert {row["scale"] for row in rows} == {"5.3", "7", "10", "10.7", "12"}
    with pytest.raises(RequestError, match="choose --format text, md, tex, html, json, csv"):
        render_reported("casarbi/table6", "pdf")


def test_the_list_names_every_table() -> None:
    text = render_names()
    assert all(f"{name} " in text for name in NAMES)
