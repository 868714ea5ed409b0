"""The numbers of a figure as the text of the CSV file beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from bench.api.csv_cells import shielded


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as CSV.

    Args:
        rows: What a row lacks is left empty.
        columns: Names in their order; None: all that occur, in the order of their coming.
    """
    names = list(columns) if columns is not None else list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: shielded(value) for name, value in row.items()} for row in rows)
    return text.getvalue()
