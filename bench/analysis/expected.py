"""How many images each cell should have: as the engine counts them, as a frame, and as run.json keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from bench.api import CellId, RequestError

CELL_COLUMNS = ["method", "variant", "dataset", "scale", "seed"]
EXPECTED_COLUMNS = [*CELL_COLUMNS, "expected"]

ExpectedCounts = Mapping[CellId, int] | Mapping[tuple[str, str, str, float, int], int]
Expected = pd.DataFrame | ExpectedCounts


def expected_frame(expected: Expected) -> pd.DataFrame:
    """The expected number of images per cell, with the columns method, variant, dataset, scale, seed, expected.

    Args:
        expected: A frame with these columns, or cell -> number of images (the cell a `CellId` or a tuple).
    """
    if isinstance(expected, pd.DataFrame):
        frame = expected.loc[:, EXPECTED_COLUMNS].copy()
    else:
        rows = [(*_cell_tuple(cell), count) for cell, count in expected.items()]
        frame = pd.DataFrame(rows, columns=pd.Index(EXPECTED_COLUMNS))
    frame["scale"] = frame["scale"].astype(float)
    frame["seed"] = frame["seed"].astype("int64")
    frame["expected"] = frame["expected"].astype("int64")
    return frame.drop_duplicates(CELL_COLUMNS, keep="last").reset_index(drop=True)


def expected_rows(expected: Expected) -> list[dict[str, Any]]:
    """The same as a list of objects, ready for run.json."""
    return [
        {
            "method": str(row[0]),
            "variant": str(row[1]),
            "dataset": str(row[2]),
            "scale": float(row[3]),
            "seed": int(row[4]),
            "expected": int(row[5]),
        }
        for row in expected_frame(expected).itertuples(index=False, name=None)
    ]


def parse_expected(rows: Iterable[Any], where: str) -> pd.DataFrame:
    """Read the list that `expected_rows` made (a row may also be a plain list of the six values).

    Args:
        rows: The rows of run.json.
        where: The file, for the message.
    Raises:
        RequestError: a row is not of this form.
    """
    found = []
    for number, row in enumerate(rows):
        try:
            m, v, d, s, seed, count = [row[c] for c in EXPECTED_COLUMNS] if isinstance(row, Mapping) else row
            found.append((str(m), str(v), str(d), float(s), int(seed), int(count)))
        except (TypeError, KeyError, ValueError) as fault:
            raise RequestError(
                f"{where}: entry {number} of 'expected' is damaged ({fault!r}); expected the keys "
                f"{', '.join(EXPECTED_COLUMNS)}; repeat the run with the same --out to write it again"
            ) from None
    return expected_frame(pd.DataFrame(found, columns=pd.Index(EXPECTED_COLUMNS)))


def _cell_tuple(cell: CellId | tuple[str, str, str, float, int]) -> tuple[str, str, str, float, int]:
    if isinstance(cell, CellId):
        return cell.method, cell.variant, cell.dataset, cell.scale, cell.seed
    return cell
