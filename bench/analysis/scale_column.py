"""Scales as a column of a frame: pandas would take numbers and pairs apart in its own way."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bench.api import Scale, ScalePair


def scale_column(values: Iterable[Scale], index: pd.Index | None = None) -> pd.Series:
    """A column of numbers, or of objects where a pair is among them; both sort and compare as scales do."""
    scales = list(values)
    plain = not any(isinstance(scale, ScalePair) for scale in scales)
    return pd.Series(scales, index=index, dtype=float if plain else object)
