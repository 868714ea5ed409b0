"""One paper with every table and every figure that the commands make, set by pdflatex in one column and in two."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.analysis.reported import reported_rows, table_names
from bench.figures import BUILT_IN
from bench.report import LAYOUTS

PLUGIN = Path(__file__).parents[2] / "methods" / "plugins" / "cascade.py"
MODEL = ("--plugin", PLUGIN, "--device", "cpu", "--protocol", "sample")
FIGURES: dict[str, tuple[object, ...]] = {
    "crops": ("run",),
    "errors": ("run",),
    "curve": ("run",),
    "plane": ("run", "--y", "ssim"),
    "selfssim": ("run",),
    "ranks": ("run", "--over", "images"),
    "stages": ("cascade", "--data", "Photos", "--scale", 8, *MODEL),
    "drift": ("cascade", "--data", "Photos", "--scale", 8, *MODEL),
    "sweep": ("swept",),
    "growth": ("bicubic,lanczos", "--sizes", "64,128", "--repeats", 2, "--warmup", 0),
    "kernels": ("blind_assr", "--data", "Photos", "--weights", "kl.safetensors", "--count", 2, "--scales", "2"),
    "kernel-space": (
        *("blind_assr", "--data", "Photos", "--kl", "kl.safetensors", "--kh", "kh.safetensors"),
        *("--scales", "1.2,2", "--image", "p2"),
    ),
}
"""Figure -> what is typed to get it."""
TABLES: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(("auto", "wide", "by-metric", "by-scale", "efficiency", "matrix", "per-image"), ("run",)),
    "ablation": ("variants", "--methods", "cascade"),
    "reported": ("variants", "--methods", "bicubic"),
}
"""Layout -> the run that it is of."""
OVERFULL = 0.0
"""Points that a line may stick out; LaTeX speaks of no box that is within \\hfuzz (0.1 pt)."""


@pytest.fixture
def run(bench: Callable, photos: Path) -> Path:
    """Four rows at two scales; the second is so large that LR is 12 px high."""
    words = ("--datasets", "Photos", "--metrics", "psnr,ssim,niqe,selfssim", "--workers", 0, "--out", "run")
    done = bench("run", "--methods", "nearest,bilinear,bicubic,lanczos", "--scales", "2,4", *words)
    assert done.code in (0, 1), done.err
    # a set of a name that papers print, and variants of one method
    shutil.copytree(photos, "Set5")
    words = ("--versus", "cascade.gain=3", "--plugin", PLUGIN, "--metrics", "psnr,ssim", "--workers", 0)
    done = bench(
        "run", "--methods", "bicubic,cascade", "--datasets", "./Set5", "--scales", 4, *words, "--out", "variants"
    )
    assert done.code == 0, done.err
    words = ("--sweep", "cascade.gain=0.5,1,2", "--dataset", "Photos", "--scale", 2, "--metrics", "psnr,ssim")
    done = bench("ablate", "cascade", *words, "--plugin", PLUGIN, "--out", "swept")
    assert done.code == 0, done.err
    return Path("run")


@pytest.fixture
def typed(bench: Callable) -> Callable[..., str]:
    """Type a command that succeeds; what it printed."""

    def type_in(*words: object) -> str:
        done = bench(*words)
        assert done.code == 0, f"{words}: {done.err}"
        return done.out

    return type_in


def tables(typed: Callable[..., str], run: Path) -> list[str]:
    """The LaTeX of every command that prints any."""
    tex = ("--format", "tex")
    assert set(TABLES) == {"auto", "matrix", *LAYOUTS}
    return [
        *(typed("table", *words, *tex, "--layout", layout) for layout, words in TABLES.items()),
        typed("table", run, *tex, "--significance", "--label", "tab:significance"),
        typed("compare", run, "bicubic", "lanczos", *tex),
        typed("protocol-diff", run, "--workers", 0, *tex),
        Path("swept", "ablation.tex").read_text(encoding="utf-8"),
        *(typed("profile", "--read", "growth.json", *tex, "--layout", layout) for layout in ("full", "across", "down")),
        *(typed("table", "--reported", name, *tex) for name in table_names(reported_rows())),
    ]


def figure(kind: str) -> str:
    """LaTeX that shows a figure as wide as the page."""
    return "\n".join(
        [
            r"\begin{figure*}[p]",
            r"\includegraphics[width=\linewidth,height=0.8\textheight,keepaspectratio]{" + kind + ".pdf}",
            rf"\caption{{{kind}}}",
            r"\end{figure*}",
        ]
    )


def not_embedded(pdf: Path) -> list[str]:
    """The fonts of a PDF file that a printer would have to guess, or that publishers refuse (type 3)."""
    done = subprocess.run(["pdffonts", pdf.name], cwd=pdf.parent, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()[2:]
    assert lines, f"{pdf.name} has no fonts at all"
    # name, type (several words), encoding, emb, sub, uni, object ID (two words)
    return [line for line in lines if line.split()[-5] != "yes" or "Type 3" in line]


def sticking_out(log: str) -> list[float]:
    """Points by which lines of a document are too wide, beyond what is allowed."""
    widths = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    return [width for width in widths if width > OVERFULL]


@pytest.fixture
def paper(typed: Callable[..., str], run: Path, weights: Path) -> str:
    """The body of the document; its figures lie in the working folder."""
    assert set(FIGURES) == set(BUILT_IN)
    for kind, words in FIGURES.items():
        typed("figure", kind, *words, "--out", f"{kind}.pdf")
    texts = tables(typed, run)
    labels = [label for text in texts for label in re.findall(r"\\label\{(.*?)\}", text)]
    assert len(labels) == sum(text.count(r"\begin{table") for text in texts)
    assert len(labels) == len(set(labels)), "two tables of one document under one label"
    floats: Sequence[str] = [*texts, *map(figure, BUILT_IN)]
    return "\n\\clearpage\n".join("\n".join(floats[i : i + 3]) for i in range(0, len(floats), 3))


def test_every_table_and_figure_is_set_without_an_overfull_line(
    compile_latex: Callable[..., str], paper: str, newcomer: Path
) -> None:
    """Catches LaTeX that does not compile, a table wider than its column, two tables of one label, a kind of table or
    figure that nobody tried in a document, a figure whose fonts are left out, and signs that are set
    as bitmaps."""
    for columns in ("", "[twocolumn]"):
        log = compile_latex(newcomer, paper, columns=columns)
        assert sticking_out(log) == []
        assert "Float too large" not in log
        assert "Missing character" not in log
    if shutil.which("pdffonts") is None:
        pytest.skip("no pdffonts here (poppler-utils)")
    for pdf in [*(newcomer / f"{kind}.pdf" for kind in FIGURES), newcomer / "doc.pdf"]:
        assert not_embedded(pdf) == []
