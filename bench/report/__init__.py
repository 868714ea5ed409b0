"""Tables from frames: the typed model, its layouts, LaTeX and Markdown, and the files at the end of a run."""

from bench.report.build import TableOptions, build_table
from bench.report.exports import render_tables, write_exports
from bench.report.latex import render_latex
from bench.report.layout import LAYOUTS, arrange
from bench.report.markdown import render_markdown
from bench.report.model import Mark, Table, TableCell

__all__ = [
    "LAYOUTS",
    "Mark",
    "Table",
    "TableCell",
    "TableOptions",
    "arrange",
    "build_table",
    "render_latex",
    "render_markdown",
    "render_tables",
    "write_exports",
]
