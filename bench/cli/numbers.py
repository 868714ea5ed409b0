"""The numbers of a figure: a CSV file beside it, and some of them on the screen."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.cli.output import writing

Columns = Sequence[tuple[str, str, str]]
"""(name, heading, format) each."""


def write_csv(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, whole or not at all.

    Args:
        path: The file.
        rows: What a row lacks is left empty.
        columns: Names in their order; None: all that occur, in the order of their coming.
    Raises:
        RequestError: the place cannot be written.
    """
    from bench.imaging.atomic import atomic_write

    with writing(path), atomic_write(path) as file:
        names = list(columns) if columns is not None else list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def show_numbers(rows: Sequence[dict[str, Any]], columns: Columns) -> None:
    """Print some columns of rows; what a row lacks is left blank."""
    from bench.cli.listing import Column, show_rows

    lines = [
        SimpleNamespace(**{name: form.format(row[name]) if name in row else None for name, _, form in columns})
        for row in rows
    ]
    show_rows(lines, [Column(name, title) for name, title, _ in columns], as_json=False)
