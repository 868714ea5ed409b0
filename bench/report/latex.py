"""LaTeX tables: booktabs, grouped columns, best bold, second underlined, the signatures underneath.

Every text goes through `escape.latex`; the output needs the packages booktabs and, where a table is wide, graphicx.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.api import Direction, RequestError, format_times
from bench.report.alignment import Alignment
from bench.report.escape import BENCHCHAR, keep_ends, latex, latex_code
from bench.report.grid import Grid, GridBlock, Head
from bench.report.layout import COLUMN_WIDTH
from bench.report.model import Mark, TableCell
from bench.report.notes import (
    Code,
    NoteLine,
    default_caption,
    footnote_letters,
    footnote_reason,
    note_lines,
    part_caption,
)

_ARROWS = {Direction.HIGHER: r"\,$\uparrow$", Direction.LOWER: r"\,$\downarrow$", None: ""}
_LABEL = re.compile(r"[A-Za-z0-9:._/+-]+")
_SINGLE_COLUMN_PAGE = 340.0
"""Text width of a one-column article; a wider table is shrunk to the line where it has to be."""


def render_latex(grids: Sequence[Grid]) -> str:
    """One table environment per grid.

    Args:
        grids: What `arrange` made of one or several tables.
    Raises:
        RequestError: a label with characters that LaTeX labels cannot hold.
    """
    return document_part([_float(grid) for grid in grids])


def floating(body: Sequence[str], *, caption: str, label: str, notes: Sequence[str], width: float) -> str:
    """A table environment with its caption above and its notes below.

    Args:
        body: The lines of the tabular environment.
        caption, label, notes: LaTeX.
        width: Estimated width of the body in points: decides between one column and both, and whether the body shrinks
            to the line where it has to.
    """
    kind = "table*" if width > COLUMN_WIDTH else "table"
    if width > _SINGLE_COLUMN_PAGE:
        body = [r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%", *body[:-1], body[-1] + "}"]
    return "\n".join(
        [
            rf"\begin{{{kind}}}[t]",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            r"\vspace{4pt}",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{4pt}",
            *body,
            "",
            r"\vspace{3pt}",
            r"\parbox{\linewidth}{\scriptsize\raggedright",
            (r"\\" + "\n").join(notes),
            "}",
            rf"\end{{{kind}}}",
        ]
    )


def document_part(tables: Sequence[str]) -> str:
    """Tables with what a document has to know of them at the top."""
    packages = ["booktabs"] + (["graphicx"] if any(r"\resizebox" in text for text in tables) else [])
    head = "% In the preamble: " + " ".join(rf"\usepackage{{{name}}}" for name in packages)
    macro = [BENCHCHAR] if any(r"\benchchar" in text for text in tables) else []
    return "\n".join([head, *macro, "\n\n".join(tables)]) + "\n"


def _float(grid: Grid) -> str:
    table = grid.table
    return floating(
        _tabular(grid, footnote_letters(grid)),
        caption=latex((table.caption or default_caption(table)) + part_caption(grid.title, grid.part)),
        label=_label(grid.label),
        notes=[_note(line) for line in note_lines(grid)],
        width=grid.width,
    )


def _tabular(grid: Grid, letters: dict[str, str]) -> list[str]:
    lines = [rf"\begin{{tabular}}{{@{{}}l{_column_spec(grid)}@{{}}}}", r"\toprule"]
    if grid.groups:
        lines.append("".join(f" & \\multicolumn{{{head.span}}}{{c}}{{{_head(head)}}}" for head in grid.groups) + r" \\")
        lines.append(" ".join(_rules(grid.groups)))
    lines.append(" & ".join([latex(grid.stub), *map(_head, grid.columns)]) + r" \\")
    count, cells = len(grid.columns), grid.cells
    columns = [Alignment(cell.text for cell in cells[i::count]) for i in range(count)]
    for block in grid.blocks:
        lines.append(r"\midrule")
        lines += _block(block, columns, letters)
    return [*lines, r"\bottomrule", r"\end{tabular}"]


def _column_spec(grid: Grid) -> str:
    return "".join("c" * head.span for head in grid.groups) if grid.groups else "c" * len(grid.columns)


def _rules(groups: Sequence[Head]) -> list[str]:
    rules, at = [], 2
    for head in groups:
        if head.plain:
            rules.append(rf"\cmidrule(lr){{{at}-{at + head.span - 1}}}")
        at += head.span
    return rules


def _block(block: GridBlock, columns: Sequence[Alignment], letters: dict[str, str]) -> list[str]:
    title = _head(block.title)
    lines = [rf"\multicolumn{{{len(columns) + 1}}}{{@{{}}l}}{{\textit{{{title}}}}} \\"] if title else []
    for row in block.rows:
        cells = (_cell(cell, column, letters) for cell, column in zip(row.cells, columns, strict=True))
        lines.append(" & ".join([latex(row.name), *cells]) + r" \\")
    return lines


def _head(head: Head) -> str:
    text = latex(head.text) if head.scale is None else latex(format_times(head.scale))
    return text + _ARROWS[head.direction]


def _cell(cell: TableCell, column: Alignment, letters: dict[str, str]) -> str:
    letter = letters.get(footnote_reason(cell), "")
    mark = rf"\textsuperscript{{{letter}}}" if letter else ""
    if cell.value is None:
        return (cell.text or "--") + mark
    text = {"∞": r"$\infty$", "-∞": r"$-\infty$"}.get(cell.text) or cell.text.replace("-", "$-$").replace("+", "$+$")
    if cell.mark is Mark.BEST:
        text = rf"{{\boldmath\textbf{{{text}}}}}" if "$" in text else rf"\textbf{{{text}}}"
    elif cell.mark is Mark.SECOND:
        text = rf"\underline{{{text}}}"
    missing = column.missing(cell.text).replace("-", "$-$")
    before = rf"\phantom{{{missing}}}" if missing else ""
    # a letter takes no width, or it would push its number out of line
    after = rf"\,{{\tiny$\pm$\,{cell.sd}}}{mark}" if cell.sd else rf"\rlap{{{mark}}}" if mark else ""
    return before + text + after


def _note(line: NoteLine) -> str:
    text = "".join(latex_code(part.text) if isinstance(part, Code) else keep_ends(part, latex) for part in line.parts)
    if line.letter:  # a reason may hold a long path
        text = text.replace("/", r"/\allowbreak{}")
    # braces: a line that begins with "[" or "*" would be read as an argument of the line break before it
    return rf"\textsuperscript{{{line.letter}}}\,{text}" if line.letter else f"{{}}{text}"


def _label(label: str) -> str:
    if not _LABEL.fullmatch(label):
        raise RequestError(f"--label '{label}' cannot be a LaTeX label; use letters, digits and : . _ / + -")
    return label
