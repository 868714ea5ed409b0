"""How often measured differences have the sign of printed ones."""

from __future__ import annotations

import math

import pytest

from bench.metrics.psnr import PSNR
from bench.report.directions import direction_notes


@pytest.mark.parametrize(
    ("deltas", "sentence"),
    [
        ([(0.3, 0.1)], "PSNR moves as reported in 1 of 1 cell."),
        ([(0.3, 0.1), (-0.2, 0.1)], "PSNR moves as reported in 1 of 2 cells (not: v1 on S ×4)."),
        ([(0.3, 0.1), (0.001, 0.0)], "PSNR moves as reported in 1 of 1 cell."),
        ([(0.3, 0.1), (None, 0.1), (0.1, None)], "PSNR moves as reported in 1 of 1 cell."),
        ([(math.inf, 0.1)], "PSNR moves as reported in 1 of 1 cell."),
        ([(0.001, 0.0)], ""),
    ],
)
def test_only_a_printed_difference_has_a_direction(
    deltas: list[tuple[float | None, float | None]], sentence: str
) -> None:
    """Catches a row that the paper prints equal to the default and that any measured digit contradicts."""
    records = [
        {"variant": f"v{i}", "dataset": "S", "scale": 4.0, "metric": "psnr", "delta": own, "reported_delta": paper,
         "reported_at": 4.0}
        for i, (own, paper) in enumerate(deltas)
    ]  # fmt: skip
    assert list(direction_notes(records, {"psnr": PSNR.info})) == ([sentence] if sentence else [])
