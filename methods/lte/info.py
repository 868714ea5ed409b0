"""LTE as a registered method (no torch here)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bench.api import MethodInfo, MethodSpec, Tiling
from methods.blocks.options import ContinuousOptions

_HERE = Path(__file__).parent


class ArbSROptions(ContinuousOptions):
    """Those of LTE and of what is built on it."""

    cell_clip: float | None = Field(default=4.0, ge=1)
    """As in `ContinuousOptions`; LTE's evaluation clips beyond the training's x4."""
    tile: int | None = Field(default=256, ge=1)
    """Side of the LR windows that features are computed on, each with its whole receptive field around it: bounds the
    memory, does not change the result beyond float rounding. null: all at once."""


LTE = MethodSpec(
    info=MethodInfo(
        name="lte",
        display="LTE",
        summary="EDSR features decoded by estimated Fourier coefficients (local texture estimator)",
        paper="Lee, Jin, Local Texture Estimator for Implicit Representation Function, CVPR 2022",
        licence="Apache-2.0",
        train_scales=(1.0, 4.0),
        train_sets=("BSDS500 train", "BSDS500 test", "T91", "General100"),
        tiling=Tiling.INTERNAL,
        parameters=265_635,
    ),
    factory="methods.lte.method:LTE",
    root=_HERE,
    options=ArbSROptions,
    weights={"lite": _HERE / "weights" / "lite.safetensors"},
    default_weights="lite",
    weights_how=(
        "the paper's weights are not shipped: give a file with --weights lte=PATH, either one that 'bench train lte' "
        "made or the authors' edsr-baseline-lte.pth"
    ),
)
