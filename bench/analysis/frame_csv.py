"""A frame as the text of a CSV file."""

from __future__ import annotations

import pandas as pd

from bench.api.csv_cells import shielded


def frame_csv(frame: pd.DataFrame) -> str:
    """Columns in their order and no index; names that a spreadsheet would run are shielded (`bench.api.csv_cells`)."""
    changed = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column):
            continue
        # a column of 200,000 cells has few different ones
        shields = {text: cell for text in column.unique() if (cell := shielded(text)) is not text}
        if shields:
            changed[name] = column.map(lambda text, shields=shields: shields.get(text, text))
    return frame.assign(**changed).to_csv(index=False, lineterminator="\n")
