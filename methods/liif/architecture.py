"""What decides the shape of a LIIF network; its weights file carries it, so that any size loads by the same code."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LiifArchitecture(BaseModel):
    """The network's shape; the defaults are the paper's EDSR-baseline variant (1.57 M parameters)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    blocks: int = Field(default=16, ge=0)
    """Residual blocks of the EDSR encoder."""
    width: int = Field(default=64, ge=1)
    """Feature channels."""
    hidden: tuple[int, ...] = (256, 256, 256, 256)
    """Hidden widths of the MLP."""
    unfold: bool = True
    """Feature unfolding: every query sees the 3x3 neighbourhood of its LR pixel."""
    cell_decode: bool = True
    """The MLP is told the size of the pixel that it fills."""
    local_ensemble: bool = True
    """Blend the predictions of the four LR pixels around a query."""
    skip: Literal["none", "bilinear"] = "none"
    """What the MLP's output is added to. LIIF has none; "bilinear" is an option of ours after LTE (Lee and Jin, CVPR
    2022), which adds the interpolated image. No shipped configuration uses it."""
