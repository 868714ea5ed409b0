"""Small records to average."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import pytest

from bench.analysis import records_frame

MakeRecords = Callable[..., pd.DataFrame]


def rows_of(
    values: Iterable[float | None],
    *,
    method: str = "bicubic",
    variant: str = "",
    dataset: str = "Set5",
    scale: float = 2.0,
    seed: int = 0,
    metric: str = "psnr",
    signature: str | None = None,
    images: Sequence[str] | None = None,
    status: str | None = None,
) -> list[tuple]:
    """One row per value; None is a failed image."""
    values = list(values)
    names = images or [f"im{i:03d}" for i in range(len(values))]
    sign = f"{metric.partition('@')[0]}|rgb|shave:0|agg:img|v1" if signature is None else signature
    return [
        (method, variant, dataset, name, scale, seed, metric, v, status or ("failed" if v is None else "ok"), sign)
        for name, v in zip(names, values, strict=True)
    ]


@pytest.fixture
def make_records() -> MakeRecords:
    """make_records(rows, rows, ...) -> records frame."""
    return lambda *parts: records_frame([row for part in parts for row in part])


@pytest.fixture
def rows() -> Callable[..., list[tuple]]:
    """The maker of rows."""
    return rows_of
