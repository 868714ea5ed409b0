"""Figures are of records, and some are typeset: the fixtures of those folders."""

from tests.analysis.conftest import rows
from tests.report.conftest import compile_latex

__all__ = ["compile_latex", "rows"]
