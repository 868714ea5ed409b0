"""Options that the continuous methods share (no torch here)."""

from __future__ import annotations

from pydantic import Field

from bench.api import MethodOptions


class ContinuousOptions(MethodOptions):
    """What `--set METHOD.KEY=VALUE` may change of any method that is queried at coordinates."""

    chunk: int = Field(default=8192, ge=1)
    """Queries decoded at a time: bounds the memory, does not change the result beyond float rounding."""
    cell_clip: float | None = Field(default=None, ge=1)
    """Tell the decoder a pixel no smaller than that of this scale; 4 keeps it within what it was trained on. null: the
    true pixel."""
