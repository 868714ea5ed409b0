"""Layouts with numbers of their own: differences from a default, costs, papers' numbers, single images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from bench.analysis import RunFrames, planned_cells, records_frame
from bench.analysis.reported import reported_rows
from bench.api import MetricInfo, RequestError, RowInfo, Signature
from bench.report import TableOptions, build_table, render_tables
from bench.report.beside import how_they_differ
from bench.report.grid import Grid
from bench.report.layout import PAGE, WHOLE, arrange

SIGNED = "psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1"


def grid_of(frames: RunFrames, infos: Mapping[str, MetricInfo], layout: str) -> Grid:
    """The one grid of a run in a layout."""
    table = build_table(frames.summary, infos, frames=frames, options=TableOptions(layout=layout))
    (grid,) = arrange(table, layout, room=WHOLE)
    return grid


def texts(grid: Grid) -> dict[str, list[str]]:
    """Row -> its printed cells."""
    return {row.name: [cell.text for cell in row.cells] for block in grid.blocks for row in block.rows}


def images(*rows: tuple, expected: int = 2) -> RunFrames:
    """A run of rows (method, variant, dataset, image, scale, seed, value, seconds, height, width)."""
    records = records_frame(
        (m, v, d, i, s, seed, "psnr", value, "ok", SIGNED, "o", "f", seconds, height, width)
        for m, v, d, i, s, seed, value, seconds, height, width in rows
    )
    cells = dict.fromkeys(((row[0], row[1], row[2], row[4], row[5]) for row in rows), expected)
    names = dict.fromkeys(row[:2] for row in rows)
    return RunFrames(records=records, planned=planned_cells(cells), rows=[RowInfo.bare(*name) for name in names])


def test_an_ablation_is_measured_from_its_first_row(frames_of: Callable, infos: dict) -> None:
    """Catches differences from the best or the row above, the other sign, and -0.00."""
    values = {("m", "lite"): 30.0, ("m", "lite,a=1"): 30.25, ("m", "lite,a=2"): 29.5, ("m", "lite,a=3"): 29.999}
    frames = frames_of({(*row, "S", 2.0, "psnr"): value for row, value in values.items()})
    found = grid_of(frames, infos, "ablation")
    assert list(texts(found).values()) == [["30.00", ""], ["30.25", "+0.25"], ["29.50", "-0.50"], ["30.00", "0.00"]]
    assert [head.plain for head in found.columns] == ["PSNR ↑", "Δ"]
    assert found.groups[0].span == 2
    assert f"Δ: difference from {found.table.methods[0].display}." in found.table.notes


def test_an_ablation_without_two_means_says_why_there_is_no_difference(frames_of: Callable, infos: dict) -> None:
    """Catches a difference of means over other images, and one from a mean that is not there."""
    frames = frames_of({("m", "", "S", 2.0, "psnr"): 30.0, ("m", "a=1", "S", 2.0, "psnr"): None})
    table = build_table(frames.summary, infos, frames=frames)
    (grid,) = arrange(table, "ablation")
    assert grid.blocks[0].rows[1].cells[1].reason == "one of the two has no mean"
    fewer = {key: replace(cell, value=29.0, expected=1) if key.variant else cell for key, cell in table.cells.items()}
    (grid,) = arrange(replace(table, cells=fewer), "ablation")
    assert "different images" in grid.blocks[0].rows[1].cells[1].reason


@pytest.mark.parametrize("names", [(("a", ""), ("b", "")), (("a", ""),)])
def test_an_ablation_is_of_one_method(frames_of: Callable, infos: dict, names: tuple) -> None:
    """Catches differences between methods under the heading of an ablation."""
    frames = frames_of({(*name, "S", 2.0, "psnr"): 30.0 for name in names})
    with pytest.raises(RequestError, match="variants of one method"):
        render_tables(frames, infos, output="md", options=TableOptions(layout="ablation"))


def test_costs_are_of_images_once_for_all_metrics_and_seeds(infos: dict) -> None:
    """Catches a mean of ratios, times counted per metric, megapixels of LR, and a guess for what is not recorded."""
    frames = images(
        ("bicubic", "", "S", "a", 2.0, 0, 30.0, 1.0, 1000, 1000),
        ("bicubic", "", "S", "b", 2.0, 0, 31.0, 3.0, 1000, 3000),
        ("own", "", "S", "a", 2.0, 0, 30.0, 2.0, None, None),
        ("own", "", "S", "b", 2.0, 0, 30.0, 4.0, 500, 500),
    )
    frames = replace(frames, records=frames.records.loc[[0, 1, 0, 1, 2, 3]].reset_index(drop=True))
    found = grid_of(frames, infos, "efficiency")
    assert texts(found) == {"bicubic": ["0", "2.00", "1.00"], "own": ["", "3.00", ""]}
    assert [head.plain for head in found.columns] == ["Params (M)", "Time (s)", "s/MP"]
    assert {cell.reason for cell in found.blocks[0].rows[1].cells} == {"", "not recorded"}
    tex = render_tables(frames, infos, output="tex", options=TableOptions(layout="efficiency"))
    assert "Multiply-adds and memory are not recorded" in tex
    assert "psnr" not in tex.lower()


def test_a_papers_number_stands_beside_the_measured_one(infos: dict) -> None:
    """Catches another table's or scale's number, the other sign, no reason, and a variant that no paper has."""
    printed = next(r for r in reported_rows() if (r.name, r.method, r.dataset, r.scale) == (
        "blind_assr/table1", "LIIF", "Set5", 4.0) and r.metric == "psnr")  # fmt: skip
    frames = images(
        *(("liif", "lite", "Set5", name, 4.0, 0, 30.0, 1.0, 99, 99) for name in "ab"),
        *(("liif", "lite,cell_clip=2", "Set5", name, 4.0, 0, 30.0, 1.0, 99, 99) for name in "ab"),
        *(("liif", "lite", "Set5", name, 7.0, 0, 20.0, 1.0, 99, 99) for name in "ab"),
    )
    found = grid_of(frames, infos, "reported")
    (row,) = found.blocks[0].rows
    assert found.blocks[0].title.text == "Set5, blind_assr/table1"
    assert [cell.text for cell in row.cells] == [printed.value, "30.00", f"{30 - printed.number:+.2f}"]
    assert row.cells[2].doubt == "the paper states lr:anisotropic-blur (measured: lr:matlab-bicubic)"
    elsewhere = images(*(("liif", "lite", "Nowhere", name, 4.0, 0, 30.0, 1.0, 99, 99) for name in "ab"))
    with pytest.raises(RequestError, match="no published table has a number of"):
        grid_of(elsewhere, infos, "reported")


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("psnr", "the paper does not say how it was computed"),
        ("psnr|from:cited", "the paper does not say how it was computed; it cites another paper's number"),
        ("psnr|y|lr:matlab-bicubic", "the paper states y, lr:matlab-bicubic and nothing else"),
        ("psnr|rgb", "the paper states rgb (measured: y601s)"),
        ("psnr|y|kernel:3", "the paper states kernel:3 (measured: no kernel)"),
    ],
)
def test_the_reason_is_what_the_paper_states_against_the_signature(stated: str, words: str) -> None:
    """Catches "differs" without saying in what, and silence that is taken for agreement."""
    assert how_they_differ(Signature.parse(stated), Signature.parse(SIGNED)) == words


def test_images_have_the_mean_of_their_seeds_and_the_mean_below(infos: dict) -> None:
    """Catches one seed's value, images in the order of the file, and a best mark of the mean at every image."""
    frames = images(
        *(("a", "", "S", name, 2.0, seed, value + seed, 1.0, 99, 99) for seed in (0, 2)
          for name, value in (("z", 30.0), ("b", 20.0))),
        *(("c", "", "S", name, 2.0, seed, 25.0, 1.0, 99, 99) for seed in (0, 2) for name in "zb"),
    )  # fmt: skip
    found = grid_of(frames, infos, "per-image")
    assert texts(found) == {"b": ["21.00", "25.00"], "z": ["31.00", "25.00"], "Mean": ["26.00", "25.00"]}
    assert [str(row.cells[0].mark) for row in found.blocks[0].rows] == ["second", "best", "best"]
    assert found.stub == "Image"
    with pytest.raises(RequestError, match="leave out --layout wide"):
        TableOptions(layout="wide", per_image=True)


def test_more_images_than_a_page_has_lines_are_split(infos: dict) -> None:
    """Catches a table that runs off the page, and rows that are lost or doubled where it is cut."""
    rows = [("a", "", "S", f"i{n:03d}", 2.0, 0, 30.0, 1.0, 99, 99) for n in range(100)]
    frames = images(*rows, expected=100)
    table = build_table(frames.summary, infos, frames=frames, options=TableOptions(per_image=True))
    grids = arrange(table, "per-image")
    assert all(PAGE.holds(grid) for grid in grids)
    names = [row.name for grid in grids for block in grid.blocks for row in block.rows]
    assert names == [*(f"i{n:03d}" for n in range(100)), "Mean"]
    assert len({grid.label for grid in grids}) == len(grids) > 1
