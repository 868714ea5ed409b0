"""Matrices drawn and typeset: every number in its place, one range of colours, and what is missing looks missing."""

from __future__ import annotations

import csv
import io
import re
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bench.analysis import RunFrames, planned_cells, records_frame, summarise
from bench.api import Direction, MetricInfo, MetricKind, RequestError, RowInfo
from bench.figures.files import save_figure
from bench.figures.page import COLOUR_MAP
from bench.figures.selfssim.drawing import _ink, draw_matrices
from bench.figures.selfssim.matrix import matrix_rows
from bench.figures.selfssim.typeset import CSV_COLUMNS, Matrices, build_matrices, typeset_matrices
from bench.report import TableOptions

SIGN = "selfssim|rgb|ref:column|v1"
SHOWN = MetricInfo(
    name="selfssim",
    display="SelfSSIM",
    kind=MetricKind.CROSS_SCALE,
    direction=Direction.HIGHER,
    decimals=3,
    summary="",
)
PLAIN = {("m", "", "Set5"): {(2.0, 3.5): 0.875, (3.5, 2.0): 0.625}}


def built(
    tables: dict,
    *,
    images: int = 2,
    lost: tuple = (),
    infos: dict | None = None,
    displays: dict | None = None,
    **options,
) -> Matrices:
    """(method, variant, dataset) -> (output, reference) -> value of every image; `lost` lacks its last image."""
    records, expected = [], {}
    for head, table in tables.items():
        for (a, b), value in table.items():
            expected |= {(*head, scale, 0): images for scale in (a, b)}
            count = images - ((*head, a, b) in lost)
            records += [(*head, f"i{n}", a, 0, f"selfssim@{b:.10g}", value, "ok", SIGN) for n in range(count)]
    rows = matrix_rows(summarise(records_frame(records), planned_cells(expected)), "selfssim")
    return build_matrices(
        rows,
        {"selfssim": SHOWN} if infos is None else infos,
        frames=RunFrames(
            records=records_frame([]),
            planned=(),
            rows=[RowInfo(method=m, variant=v, display=shown) for (m, v), shown in (displays or {}).items()],
            protocols={SIGN: ("sample",)},
        ),
        options=TableOptions(**options),
    )


def full(scales: tuple[float, ...], low: float = 0.5) -> dict:
    return {(a, b): low + i * 0.01 + j * 0.001 for i, a in enumerate(scales) for j, b in enumerate(scales) if a != b}


def panels(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.get_xlabel() == "reference scale"]


def read(axes) -> list[list[str]]:
    """The words in the cells, by where they stand: rows from top to bottom."""
    count = len(axes.get_xticklabels())
    found = [["?"] * count for _ in range(count)]
    top_down = axes.get_ylim()[0] > axes.get_ylim()[1]
    for text in axes.texts:
        x, y = text.get_position()
        found[int(y) if top_down else count - 1 - int(y)][int(x)] = text.get_text()
    return found


def colours(axes) -> list[list[str]]:
    count = len(axes.get_xticklabels())
    found = [[""] * count for _ in range(count)]
    for patch in axes.patches:
        found[int(patch.get_y())][int(patch.get_x())] = to_hex(patch.get_facecolor()) + (patch.get_hatch() or "")
    return found


def test_the_drawing_is_not_transposed_and_its_axes_are_named() -> None:
    (axes,) = panels(draw_matrices(built(PLAIN)))
    assert read(axes) == [["1", "0.875"], ["0.625", "1"]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("reference scale", "output scale")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["×2", "×3.5"]
    places = {label.get_text(): y for label, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert places == {"×2": 0.5, "×3.5": 1.5}
    assert axes.yaxis_inverted()


def test_pixels_are_where_the_words_say() -> None:
    figure = draw_matrices(built(PLAIN))
    (axes,) = panels(figure)
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    seen = {}
    for i in range(2):
        for j in range(2):
            x, y = axes.transData.transform((j + 0.08, i + 0.08))
            seen[i, j] = to_hex(drawn[int(drawn.shape[0] - y), int(x), :3] / 255)
    assert seen[0, 0] == seen[1, 1] == to_hex("0.88")
    assert sum(bytes.fromhex(seen[0, 1][1:])) > sum(bytes.fromhex(seen[1, 0][1:])) + 100


def test_equal_values_of_two_matrices_have_one_colour_and_the_diagonal_is_not_in_the_range() -> None:
    tables = {
        ("a", "", "Set5"): {(2.0, 4.0): 0.5, (4.0, 2.0): 0.6},
        ("b", "", "Set5"): {(2.0, 4.0): 0.6, (4.0, 2.0): 0.7},
    }
    figure = draw_matrices(built(tables))
    first, second = (colours(axes) for axes in panels(figure))
    ends = matplotlib.colormaps[COLOUR_MAP]
    assert first[1][0] == second[0][1]
    assert (first[0][1], second[1][0]) == (to_hex(ends(0.0)), to_hex(ends(1.0)))
    (bar,) = (axes for axes in figure.axes if axes not in panels(figure))
    assert bar.get_ylim() == pytest.approx((0.5, 0.7))
    assert bar.get_ylabel() == "SelfSSIM ↑"


def test_equal_means_do_not_break_the_range_nor_make_noise_look_like_much() -> None:
    figure = draw_matrices(built({("m", "", "Set5"): {(2.0, 4.0): 0.9, (4.0, 2.0): 0.9 + 1e-9}}))
    low, high = figure.axes[-1].get_ylim()
    assert high - low == pytest.approx(0.01)
    one, other = (bytes.fromhex(colours(panels(figure)[0])[i][1 - i][1:]) for i in range(2))
    assert max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 3


def test_what_has_no_mean_has_no_colour_and_does_not_move_the_range() -> None:
    tables = {("m", "", "Set5"): {**full((2.0, 4.0, 8.0)), (8.0, 4.0): 0.01}}
    figure = draw_matrices(built(tables, lost=(("m", "", "Set5", 8.0, 4.0),)))
    (axes,) = panels(figure)
    assert read(axes)[2][1] == "1/2"
    assert colours(axes)[2][1] == "#ffffff/////"
    assert sum("/" in colour for row in colours(axes) for colour in row) == 1
    assert figure.axes[-1].get_ylim()[0] >= 0.5
    assert "n/N: only n of N" in figure.texts[-1].get_text()
    assert "--" not in figure.texts[-1].get_text()


def test_only_incomplete_cells_can_be_drawn() -> None:
    found = built(PLAIN, lost=(("m", "", "Set5", 2.0, 3.5), ("m", "", "Set5", 3.5, 2.0)))
    assert read(panels(draw_matrices(found))[0]) == [["1", "1/2"], ["1/2", "1"]]


def test_what_nobody_asked_for_is_a_dash_and_no_count() -> None:
    tables = {("a", "", "Set5"): full((2.0, 4.0, 8.0)), ("b", "", "Set5"): full((2.0, 8.0))}
    found = built(tables)
    figure = draw_matrices(found)
    assert read(panels(figure)[1]) == [["1", "--", "0.501"], ["--", "1", "--"], ["0.510", "--", "1"]]
    assert "--: not part of the run" in figure.texts[-1].get_text()
    assert "not part of this run" in typeset_matrices(found, "md")


def test_numbers_can_be_read_on_every_colour_of_the_map() -> None:
    def luminance(colour) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for position in np.linspace(0, 1, 256):
        colour = matplotlib.colormaps[COLOUR_MAP](position)
        pair = sorted((luminance(colour), {"black": 0.0, "white": 1.0}[_ink(colour)]))
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5


@pytest.mark.parametrize(("count", "heads"), [(2, 1), (2, 5), (5, 2), (11, 1)])
def test_no_word_lies_over_another_or_off_the_page_and_numbers_stay_in_their_cells(count: int, heads: int) -> None:
    scales = tuple(10.25 + i for i in range(count))
    sets = ("Set5", "A-long-dataset-name")
    tables = {(f"method-{i}", "v", data): full(scales) for data in sets for i in range(heads)}
    lost = (("method-0", "v", "Set5", scales[0], scales[1]),)
    figure = draw_matrices(built(tables, images=1000 if count == 2 else 2, lost=lost))
    with matplotlib.rc_context({"figure.dpi": 100}):
        figure.canvas.draw()
        boxes = [(text.get_text(), text.get_window_extent()) for text in figure.texts]
        for axes in figure.axes:
            low, high = sorted(axes.get_ylim())
            ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
            shown = [label for place, label in ticks if low <= place <= high]
            named = [*axes.get_xticklabels(), *shown, axes.xaxis.label, axes.yaxis.label]
            boxes += [(text.get_text(), text.get_window_extent()) for text in named if text.get_text()]
            for text in axes.texts:
                j, i = (int(part) for part in text.get_position())
                left, top = axes.transData.transform((j, i))
                right, bottom = axes.transData.transform((j + 1, i + 1))
                box = text.get_window_extent()
                assert left < box.x0 < box.x1 < right, text
                assert bottom < box.y0 < box.y1 < top, text
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
        assert not any(box.overlaps(axes.bbox) for axes in figure.axes), text
    for (first, one), (second, other) in combinations(boxes, 2):
        assert not one.overlaps(other), (first, second)
    for one, other in combinations(figure.axes, 2):
        assert not one.bbox.overlaps(other.bbox)


def test_three_matrices_of_five_scales_stand_side_by_side_on_a_page() -> None:
    tables = {(name, "lite", "Set5"): full((5.3, 7.0, 10.0, 10.7, 12.0)) for name in "abcd"}
    figure = draw_matrices(built(tables, images=100, lost=(("a", "lite", "Set5", 7.0, 5.3),)))
    tops = [round(axes.get_position().y1, 6) for axes in panels(figure)]
    assert tops[0] == tops[1] == tops[2] > tops[3]
    assert figure.get_figwidth() <= 7


def test_an_untrained_method_is_neither_drawn_nor_listed_but_named() -> None:
    tables = {("a", "", "Set5"): full((2.0, 4.0)), ("b", "untrained", "Set5"): full((2.0, 4.0), 0.9)}
    found = built(tables)
    assert len(panels(draw_matrices(found))) == 1
    assert "b,untrained" not in typeset_matrices(found, "csv")
    assert "no trained weights: b (untrained)" in typeset_matrices(found, "md")
    with pytest.raises(RequestError, match="untrained"):
        built({("b", "untrained", "Set5"): full((2.0, 4.0))})


def test_csv_is_in_long_form_with_full_precision() -> None:
    tables = {("a,b", "lite", "Set5"): {(2.0, 3.5): 1 / 3, (3.5, 2.0): 0.625}}
    text = typeset_matrices(built(tables, lost=(("a,b", "lite", "Set5", 3.5, 2.0),)), "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == CSV_COLUMNS
    found = [(r["output_scale"], r["reference_scale"], r["mean"], r["n"], r["expected"]) for r in rows]
    assert found == [
        ("2", "2", "1.0", "0", "0"),
        ("2", "3.5", str(1 / 3), "2", "2"),
        ("3.5", "2", "", "1", "2"),
        ("3.5", "3.5", "1.0", "0", "0"),
    ]
    assert {(r["dataset"], r["method"], r["variant"]) for r in rows} == {("Set5", "a,b", "lite")}
    assert [r["signature"] for r in rows] == ["", SIGN, SIGN, ""]


def tex_rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(r"$\times$")]
    return [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in lines]


def test_latex_has_a_block_per_method_a_row_per_output_and_a_column_per_reference() -> None:
    tables = {("a", "", "Set5"): PLAIN["m", "", "Set5"], ("b", "", "Set5"): {(2.0, 3.5): 0.25, (3.5, 2.0): 0.75}}
    text = typeset_matrices(built(tables), "tex")
    assert re.search(r"Output scale & \$\\times\$2 & \$\\times\$3\.5 ", text)
    assert r"\multicolumn{2}{c}{Reference scale}" in text
    assert text.index(r"\textit{a}") < text.index("0.875") < text.index(r"\textit{b}") < text.index("0.250")
    rows = [[re.sub(r"\\\w+\{([\d.]+)\}", r"\1", cell) for cell in row] for row in tex_rows(text)]
    assert rows == [
        [r"$\times$2", "1", "0.875"],
        [r"$\times$3.5", "0.625", "1"],
        [r"$\times$2", "1", "0.250"],
        [r"$\times$3.5", "0.750", "1"],
    ]
    assert r"\textbf{0.875}" in text
    assert text.count("selfssim\\textbar") == 1
    assert r"\label{tab:selfssim}" in text


def test_a_dataset_has_a_table_of_its_own_and_many_methods_are_split_without_loss() -> None:
    scales = (2.0, 4.0, 8.0, 12.0)
    tables = {(f"m{i:02d}", "", data): full(scales) for data in ("Set5", "Set14") for i in range(12)}
    text = typeset_matrices(built(tables), "tex")
    floats = text.split(r"\begin{table}")[1:]
    assert len(floats) == 4
    assert [len(tex_rows(part)) for part in floats] == [36, 12, 36, 12]
    assert [re.findall(r"\\textit\{(m\d\d)\}", part) for part in floats][:2] == [
        [f"m{i:02d}" for i in range(9)],
        [f"m{i:02d}" for i in range(9, 12)],
    ]
    assert "Set14 2" not in floats[0]
    assert "Part 3 of 4: Set14" in floats[2]


def test_markdown_has_the_same_numbers() -> None:
    lines = typeset_matrices(built(PLAIN, lost=(("m", "", "Set5", 2.0, 3.5),)), "md").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert cells[0] == ["", "Output scale", "×2", "×3.5"]
    assert cells[2:] == [["m", "×2", "1", "1/2"], ["m", "×3.5", "0.625", "1"]]
    assert "one of a row against that of a column" in lines[0]


def test_hostile_names_are_printed_and_compile(compile_latex, tmp_path: Path) -> None:
    name = r"50%_$x^2$ \input{a} & [b]"
    found = built({(name, "", "A_B#"): PLAIN["m", "", "Set5"]}, displays={(name, ""): name}, caption="50% & more")
    save_figure(draw_matrices(found), tmp_path / "a.svg")
    drawn = [text.get_text() for text in draw_matrices(found).texts]
    assert name in drawn
    compile_latex(tmp_path, typeset_matrices(found, "tex"))


def test_a_metric_that_is_not_known_here_is_shown_under_its_name() -> None:
    figure = draw_matrices(built(PLAIN, infos={}))
    assert read(panels(figure)[0])[0][1] == "0.8750"
    assert figure.axes[-1].get_ylabel() == "selfssim"


@pytest.mark.parametrize(("name", "head"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF"), ("a.svg", b"<?xml")])
def test_again_is_the_same_to_the_byte_whatever_the_user_has_set(name: str, head: bytes, tmp_path: Path) -> None:
    found = []
    for theirs in ({}, {"font.size": 33.0, "hatch.linewidth": 9.0, "image.cmap": "jet", "axes.grid": True}):
        with matplotlib.rc_context(theirs):
            save_figure(draw_matrices(built(PLAIN, lost=(("m", "", "Set5", 2.0, 3.5),))), tmp_path / name)
        found.append((tmp_path / name).read_bytes())
    assert found[0].startswith(head)
    assert found[0] == found[1]


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(RequestError, match="unknown format 'xls'"):
        typeset_matrices(built(PLAIN), "xls")
