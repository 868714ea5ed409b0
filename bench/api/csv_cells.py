"""Texts in cells of CSV files: a spreadsheet runs what begins with =, +, - or @, so such a name gets a `'` before it.

Source: OWASP, "CSV Injection". Numbers stay, and so does the lone hyphen, which stands for no variant.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SHIELD = "'"


def shielded(value: Any) -> Any:
    """A value as a cell holds it; other types than texts stay as they are.

    >>> [shielded(name) for name in ("=cmd()", "@SUM(1)", "-1", "-", "baby")]
    ["'=cmd()", "'@SUM(1)", '-1', '-', 'baby']
    """
    if not isinstance(value, str) or not value.lstrip(_SHIELD).startswith(_FORMULA):
        return value
    return value if value == "-" or _is_number(value) else _SHIELD + value


def unshielded(text: str) -> str:
    """The value of a cell that was written by `shielded`.

    >>> unshielded("'=cmd()"), unshielded("it's")
    ('=cmd()', "it's")
    """
    is_shielded = text.startswith(_SHIELD) and text.lstrip(_SHIELD).startswith(_FORMULA)
    return text[1:] if is_shielded else text


def csv_lines(text: str) -> Iterator[str]:
    r"""The lines of a CSV file for `csv.reader`, which tells by their ends whether a cell goes on.

    `str.splitlines` would break a line at signs that a name may hold, such as U+2028.

    >>> list(csv_lines("a,b\u2028c\r\nd,e"))
    ['a,b\u2028c\r\n', 'd,e']
    """
    return iter(io.StringIO(text, newline=""))


def unshielded_line(line: Mapping[str, str]) -> dict[str, str]:
    """A line as `csv.DictReader` gives it, each cell unshielded; what is not text (of a damaged line) stays."""
    return {name: unshielded(text) if isinstance(text, str) else text for name, text in line.items()}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
