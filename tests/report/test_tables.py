"""LaTeX and Markdown tables: golden, structure, what must stand under them, and that LaTeX takes them."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from bench.api import RequestError
from bench.report import (
    TableOptions,
    arrange,
    build_table,
    render_latex,
    render_markdown,
    render_tables,
)
from bench.report.layout import COLUMN_WIDTH, LAYOUTS, PAGE, PAGE_WIDTH

REASON = "no file niqe_modelparameters.mat"

GOLDEN = r"""% In the preamble: \usepackage{booktabs}
\begin{table}[t]
\centering
\caption{A caption with 100\% of \_.}
\label{tab:x}
\vspace{4pt}
\footnotesize
\setlength{\tabcolsep}{4pt}
\begin{tabular}{@{}lcc@{}}
\toprule
 & \multicolumn{2}{c}{$\times$2} \\
\cmidrule(lr){2-3}
Method & PSNR\,$\uparrow$ & NIQE\,$\downarrow$ \\
\midrule
\multicolumn{3}{@{}l}{\textit{Set5}} \\
Bicubic & \underline{33.66} & --\textsuperscript{a} \\
my\_net (lite) & \textbf{34.00}\,{\tiny$\pm$\,0.50} & --\textsuperscript{a} \\
third & 0/2 & --\textsuperscript{a} \\
\bottomrule
\end{tabular}

\vspace{3pt}
\parbox{\linewidth}{\scriptsize\raggedright
{}Protocol: \texttt{basicsr-y}. Number of images: Set5 2. $\pm$: sample standard deviation between 3 seeds. Best in bold, second best underlined. n/N: only n of N images have a value, so there is no mean.\\
{}PSNR: \texttt{psnr\textbar{}\allowbreak{}y601s\textbar{}\allowbreak{}shave:\allowbreak{}s\textbar{}\allowbreak{}q:\allowbreak{}u8\textbar{}\allowbreak{}agg:\allowbreak{}img\textbar{}\allowbreak{}v1}\\
{}NIQE: \texttt{niqe\textbar{}\allowbreak{}y601s\textbar{}\allowbreak{}shave:\allowbreak{}s\textbar{}\allowbreak{}q:\allowbreak{}u8\textbar{}\allowbreak{}agg:\allowbreak{}img\textbar{}\allowbreak{}v1}\\
{}lite: weights trained by this project; not the paper's result.\\
\textsuperscript{a}\,unavailable: no file niqe\_modelparameters.mat.
}
\end{table}
"""  # noqa: E501


@pytest.fixture
def small(frames_of):
    values = {
        ("bicubic", "", "Set5", 2.0, "psnr"): 33.66,
        ("bicubic", "", "Set5", 2.0, "niqe"): None,
        ("my_net", "lite", "Set5", 2.0, "psnr"): [33.5, 34.0, 34.5],
        ("my_net", "lite", "Set5", 2.0, "niqe"): [None, None, None],
        ("third", "", "Set5", 2.0, "psnr"): None,
        ("third", "", "Set5", 2.0, "niqe"): None,
    }
    return frames_of(values, unavailable={"niqe": REASON}, displays={("bicubic", ""): "Bicubic"})


OPTIONS = TableOptions(caption="A caption with 100% of _.", label="tab:x")


def test_latex_golden(small, infos):
    assert render_tables(small, infos, output="tex", options=OPTIONS) == GOLDEN


def test_markdown_holds_the_same(small, infos):
    text = render_tables(small, infos, output="md", options=OPTIONS)
    lines = text.splitlines()
    assert lines[0] == r"**A caption with 100% of \_.**"
    assert [re.sub(r"\s+", " ", line) for line in (lines[2], *lines[4:7])] == [
        "| | Method | ×2 PSNR ↑ | ×2 NIQE ↓ |",
        "| Set5 | Bicubic | <ins>33.66</ins> | --<sup>a</sup> |",
        r"| Set5 | my\_net (lite) | **34.00** ± 0.50 | --<sup>a</sup> |",
        "| Set5 | third | 0/2 | --<sup>a</sup> |",
    ]
    assert re.fullmatch(r"\| :-+ \| :-+ \| -+: \| -+: \|", lines[3])
    assert "- PSNR: `psnr|y601s|shave:s|q:u8|agg:img|v1`" in lines
    assert "- lite: weights trained by this project; not the paper's result." in lines
    assert f"- <sup>a</sup> unavailable: {REASON.replace('_', chr(92) + '_')}." in lines
    assert any(line.startswith("- Protocol: `basicsr-y`. Number of images: Set5 2.") for line in lines)


def test_csv_keeps_numbers_and_scales_plain(small, infos):
    lines = render_tables(small, infos, output="csv").splitlines()
    assert lines[0].startswith("method,variant,dataset,scale,metric,mean,seed_sd,n,expected")
    assert lines[1].startswith("bicubic,-,Set5,2,psnr,33.66,,2,2,0,1,")
    with pytest.raises(RequestError, match="--format text, md, tex, html, json, csv"):
        render_tables(small, infos, output="xls")


def test_infinite_mean_has_a_footnote(frames_of, infos):
    frames = frames_of({("a", "", "S", 1.0, "psnr"): math.inf, ("b", "", "S", 1.0, "psnr"): 30.0})
    tex, text = (render_tables(frames, infos, output=output) for output in ("tex", "md"))
    assert r"{\boldmath\textbf{$\infty$}}\rlap{\textsuperscript{a}}" in tex
    assert "infinite: at least one image is identical to its reference" in tex
    assert "**∞**<sup>a</sup>" in text


def test_label_and_layout_that_cannot_be_are_refused(small, infos):
    for options, words in ((TableOptions(label="a}b"), "--label"), (TableOptions(layout="round"), "--layout")):
        with pytest.raises(RequestError, match=words):
            render_tables(small, infos, output="tex", options=options)


METRICS = ("psnr", "ssim", "lpips", "niqe", "pi", "musiq")
LARGE = (8.0, 12.0, 18.0, 24.0, 30.0)


def _large(frames_of, *, methods=4, datasets=1, scales=LARGE, metrics=METRICS):
    return frames_of(
        {
            (f"method{m}", "lite", f"Dataset{d}", s, metric): 20.0 + m + s / 100
            for m in range(methods)
            for d in range(datasets)
            for s in scales
            for metric in metrics
        }
    )


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"datasets": 4},
        {"methods": 20},
        {"scales": tuple(float(s) for s in range(2, 32))},
        {"methods": 12, "datasets": 2, "scales": tuple(float(s) for s in range(2, 16))},
        {"methods": 2, "datasets": 12, "metrics": ("psnr",)},
    ],
)
@pytest.mark.parametrize("layout", ["auto", "wide", "by-metric", "by-scale"])
def test_split_parts_fit_a_page_and_lose_no_cell(frames_of, infos, shape, layout):
    frames = _large(frames_of, **shape)
    table = build_table(frames.summary, infos, frames=frames)
    grids = arrange(table, layout)
    printed_cells = sum(len(row.cells) for grid in grids for block in grid.blocks for row in block.rows)
    assert printed_cells == len(table.cells)
    assert all(PAGE.holds(grid) for grid in grids)
    assert [grid.part for grid in grids] == [(i, len(grids)) for i in range(1, len(grids) + 1)]
    tex = render_latex(grids)
    labels = re.findall(r"\\label\{([^}]*)\}", tex)
    assert len(set(labels)) == len(grids)
    assert tex.count("psnr\\textbar") >= 1


def test_a_layout_is_added_in_one_place(frames_of, infos, monkeypatch):
    """Catches names of layouts that are listed a second time, and a layout that is not split like the others."""

    def backwards(table, title):
        return LAYOUTS["wide"](replace(table, methods=table.methods[::-1]), title)

    monkeypatch.setitem(LAYOUTS, "backwards", backwards)
    frames = _large(frames_of)
    table = build_table(frames.summary, infos, frames=frames)
    grids = arrange(table, "backwards")
    assert len(grids) > 1
    assert all(PAGE.holds(grid) for grid in grids)
    methods = [row.name for row in grids[0].blocks[0].rows]
    assert methods == [row.name for row in arrange(table, "wide")[0].blocks[0].rows][::-1]
    with pytest.raises(
        RequestError, match="auto, wide, by-metric, by-scale, ablation, efficiency, per-image, reported, backwards"
    ):
        arrange(table, "sideways")


def test_thirty_columns_become_metric_blocks(frames_of, infos):
    frames = _large(frames_of)
    (grid,) = arrange(build_table(frames.summary, infos))
    assert [block.title.plain for block in grid.blocks][:2] == ["PSNR ↑", "SSIM ↑"]
    assert [head.plain for head in grid.columns] == ["×8", "×12", "×18", "×24", "×30"]


def test_every_part_carries_its_signatures(frames_of, infos):
    frames = _large(frames_of, datasets=4)
    tex = render_tables(frames, infos, output="tex")
    tables = tex.split(r"\begin{table")[1:]
    assert len(tables) == 4
    for text in tables:
        assert text.count(r"\texttt{psnr\textbar") == 1
        assert "Number of images: Dataset" in text


def test_a_part_lists_no_signature_of_scales_that_it_does_not_show(frames_of, infos):
    """Catches a split table that carries the signatures of the whole one: LR of Pillow under a part of MATLAB's."""
    scales = tuple(float(s) for s in range(2, 32))
    frames = _large(frames_of, scales=scales, metrics=("psnr",))
    summary = frames.summary
    lr = summary["scale"].map(lambda scale: "matlab" if scale <= 4 else f"pillow{scale:g}")
    summary = summary.assign(signature="psnr|rgb|lr:" + lr + "|v1")
    whole = build_table(summary, infos, frames=replace(frames, protocols=dict.fromkeys(summary["signature"], ("two",))))
    grids = arrange(whole, "wide")
    assert len(grids) > 1
    for grid, text in zip(grids, render_latex(grids).split(r"\begin{table")[1:], strict=True):
        shown = {"matlab" if scale <= 4 else f"pillow{scale:g}" for scale in grid.table.scales}
        assert set(re.findall(r"\w+(?=\\textbar\{\}\\allowbreak\{\}v1)", text)) == shown


def test_a_part_lists_no_signature_of_sets_that_it_does_not_show(frames_of, infos):
    """Catches a part of Set5 that is said to have LR images of its own because another part's set has."""
    summary = _large(frames_of, datasets=2, metrics=("psnr",)).summary
    lr = summary["dataset"].map({"Dataset0": "matlab-bicubic", "Dataset1": "given"})
    table = build_table(summary.assign(signature="psnr|rgb|lr:" + lr + "|v1"), infos)
    for name, token in (("Dataset0", "lr:matlab-bicubic"), ("Dataset1", "lr:given")):
        assert [line.signature for line in table.part(datasets=[name]).signatures] == [f"psnr|rgb|{token}|v1"]


def _structure(tex: str) -> None:
    """Every row of every tabular has as many columns as the tabular; braces and environments balance."""
    for spec, body in re.findall(r"\\begin\{tabular\}\{@\{\}(l[c]+)@\{\}\}(.*?)\\end\{tabular\}", tex, re.S):
        for line in body.strip().splitlines():
            if not line.endswith(r"\\"):
                assert re.match(r"\\(top|mid|bottom)rule$|\\cmidrule", line), line
                continue
            cells = re.split(r"(?<!\\)&", line.removesuffix(r"\\"))
            spans = [int(m[1]) if (m := re.match(r"\s*\\multicolumn\{(\d+)\}", cell)) else 1 for cell in cells]
            assert sum(spans) == len(spec), line
    plain = re.sub(r"\\[\\{}%&#_$]", "", re.sub(r"(?m)^%.*$", "", tex))
    assert plain.count("{") == plain.count("}")
    begun, ended = (sorted(re.findall(rf"\\{word}\{{(\w+\*?)\}}", tex)) for word in ("begin", "end"))
    assert begun == ended


HOSTILE = (
    r"\end{table}\input{/etc/passwd}",
    "[2pt] & \\\\ %",
    "*{}$^_~#",
    'a|b<c>"d"`e\'',
    "Größe λ 方法 \u202e\u0301 naïve ĳ 😀",
    "\n\n\\par\x00\x07",
    "--- ?` !` ,,",
    "\\",
    "}",
    "{",
)


def _hostile(frames_of):
    return frames_of(
        {
            (name, "lite", f"set {HOSTILE[-1 - i]}", 2.0, metric): 20.0 + i
            for i, name in enumerate(HOSTILE)
            for metric in ("psnr", "x_$&\\weird{")
        },
        protocol="prot_$\\",
        unavailable={"niqe": "no file C:\\weird\\path_%{ & $"},
    )


def test_hostile_names_keep_the_structure(frames_of, infos):
    frames = _hostile(frames_of)
    for layout in ("wide", "by-metric", "by-scale"):
        options = TableOptions(layout=layout, caption=HOSTILE[0] + HOSTILE[4])
        tex = render_tables(frames, infos, output="tex", options=options)
        _structure(tex)
        assert r"\input" not in tex.replace(r"\textbackslash{}input", "")
    text = render_tables(frames, infos, output="md")
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines and lines[0].startswith("|"):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_hostile_names_compile(frames_of, infos, compile_latex, tmp_path):
    tex = render_tables(_hostile(frames_of), infos, output="tex", options=TableOptions(caption=HOSTILE[0] + HOSTILE[4]))
    compile_latex(tmp_path, tex)


@pytest.mark.parametrize("columns", ["", "[twocolumn]"])
def test_tables_compile_and_fit_the_line(frames_of, infos, small, compile_latex, tmp_path, columns):
    tables = [
        render_tables(frames, infos, output="tex", options=TableOptions(label=f"tab:t{i}"))
        for i, frames in enumerate([small, _large(frames_of), _large(frames_of, scales=(2.0, 3.0, 4.0), datasets=3)])
    ]
    log = compile_latex(tmp_path, "\n".join(tables), columns=columns)
    assert "Overfull" not in log
    assert "Float too large" not in log


def test_footnote_says_why_and_not_what_to_type(frames_of, infos, compile_latex, tmp_path):
    reason = "no file x.mat in /a/folder" + "/with/a/long/path" * 8 + "; get it from https://example.org"
    frames = frames_of({("a", "", "S", 2.0, "niqe"): None}, unavailable={"niqe": reason})
    tex = render_tables(frames, infos, output="tex")
    assert "example" not in tex + render_tables(frames, infos, output="md")
    assert "Overfull" not in compile_latex(tmp_path, tex, columns="[twocolumn]")


def test_narrow_and_wide_tables_choose_their_environment(small, frames_of, infos):
    assert r"\begin{table}" in render_tables(small, infos, output="tex")
    wide = _large(frames_of, scales=(2.0, 3.0, 4.0), metrics=("psnr", "ssim"))
    (grid,) = arrange(build_table(wide.summary, infos))
    assert COLUMN_WIDTH < grid.width < PAGE_WIDTH
    assert r"\begin{table*}" in render_latex([grid])


def test_markdown_is_laid_out_for_a_screen(frames_of, infos):
    frames = _large(frames_of, methods=2, scales=(2.0, 4.0, 8.0), metrics=("psnr", "ssim", "lpips", "niqe"))
    text = render_tables(frames, infos, output="md")
    assert max(len(line) for line in text.splitlines() if line.startswith("|")) <= 120
    assert render_markdown(arrange(build_table(frames.summary, infos))) != text
