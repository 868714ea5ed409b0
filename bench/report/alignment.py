"""Decimal points one below another in a centred column: invisible digits stand before its shorter numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBER = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d*)(?:\.(?P<decimals>\d+))?")


class Alignment:
    """The digits and the sign before the point that numbers of one column take, per number of decimals.

    Numbers of as many decimals are of one metric, so a column of several blocks is aligned block by block.

    >>> column = Alignment(["7.24", "10.44", "0.8911"])
    >>> column.missing("7.24"), column.missing("10.44"), column.missing("0.8911"), column.missing("3/5")
    ('0', '', '', '')
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """Args: texts: the printed cells; those that are no number do not count."""
        self._digits: dict[int, int] = {}
        self._signed: dict[int, bool] = {}
        for text in texts:
            if (shape := _shape(text)) is not None:
                decimals, digits, signed = shape
                self._digits[decimals] = max(self._digits.get(decimals, 0), digits)
                self._signed[decimals] = self._signed.get(decimals, False) or signed

    def missing(self, text: str) -> str:
        """What a printed cell lacks before its point: a "-" for a sign, then a "0" per digit; empty for no number."""
        shape = _shape(text)
        if shape is None:
            return ""
        decimals, digits, signed = shape
        sign = "-" if self._signed.get(decimals, False) and not signed else ""
        return sign + "0" * (self._digits.get(decimals, digits) - digits)


def _shape(text: str) -> tuple[int, int, bool] | None:
    """(decimals, digits before the point, whether there is a sign); None for what is no number."""
    match = _NUMBER.fullmatch(text)
    if match is None or not (match["whole"] or match["decimals"]):
        return None
    return len(match["decimals"] or ""), len(match["whole"]), bool(match["sign"])
