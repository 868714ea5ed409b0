"""CasArbi as a registered method (no torch here)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from bench.api import MethodInfo, MethodOptions, MethodSpec, Tiling

_HERE = Path(__file__).parent


class CasArbiOptions(MethodOptions):
    """What `--set casarbi.KEY=VALUE` may change; all of it works on the same weights."""

    strategy: Literal["remainder-last", "remainder-first", "uniform"] = "remainder-last"
    """How a scale is split into stages. Each was trained on its own in the paper (Table IX)."""
    cascade: bool = True
    """false: one stage for the whole scale (Table VII, whose network was trained for it)."""
    scg: Literal["off", "lr", "prev"] = "prev"
    """Self-consistency guidance: by nothing, the LR image, or the stage before (the paper's; Table VI)."""
    rho: float = Field(default=0.5, ge=0, le=1.98)
    """Strength of the guidance as a share of the largest step without overshoot. [inferred]"""
    samples: int = Field(default=1, ge=1)
    """Above 1: the mean of so many cascades; the stages are then their standard deviation (Figure 8)."""
    max_pixels: int = Field(default=512 * 512, ge=1)
    """A canvas with more pixels is denoised in tiles."""
    tile: int = Field(default=256, ge=16)
    """Side of those tiles, in output pixels."""
    overlap: int = Field(default=32, ge=0)
    """Least overlap of neighbouring tiles."""
    chunk: int = Field(default=8192, ge=1)
    """Queries of the prior at a time: bounds the memory."""


CASARBI = MethodSpec(
    info=MethodInfo(
        name="casarbi",
        display="CasArbi",
        summary="residual-shifting diffusion, applied again and again in stages of at most x2",
        paper="Self-Cascaded Diffusion Models for Arbitrary-Scale Image Super-Resolution, arXiv 2506.07813",
        licence="Apache-2.0",
        stochastic=True,
        train_scales=(1.0, 2.0),
        train_sets=("BSDS500 train", "BSDS500 test", "T91", "General100"),
        tiling=Tiling.INTERNAL,
        parameters=1_474_358,
    ),
    factory="methods.casarbi.method:CasArbiMethod",
    root=_HERE,
    options=CasArbiOptions,
    weights={"lite": _HERE / "weights" / "lite.safetensors"},
    default_weights="lite",
    minimised={"lite": ("lpips",)},
    weights_how=(
        "the paper's weights are not published: give a file that 'bench train casarbi' made, with "
        "--weights casarbi=PATH"
    ),
)
