"""LIIF as a registered method (no torch here)."""

from __future__ import annotations

from pathlib import Path

from bench.api import MethodInfo, MethodSpec, Tiling
from methods.blocks.options import ContinuousOptions

_HERE = Path(__file__).parent


class LiifOptions(ContinuousOptions):
    """`cell_clip` is off: extrapolating the cell beyond x4 is the paper's behaviour."""


LIIF = MethodSpec(
    info=MethodInfo(
        name="liif",
        display="LIIF",
        summary="EDSR features decoded at continuous coordinates by an MLP (local implicit image function)",
        paper="Chen, Liu, Wang, Learning Continuous Image Representation with Local Implicit Image Function, CVPR 2021",
        licence="Apache-2.0",
        train_scales=(1.0, 4.0),
        train_sets=("BSDS500 train", "BSDS500 test", "T91", "General100"),
        tiling=Tiling.SUPPORTED,
        parameters=192_035,
    ),
    factory="methods.liif.method:LIIF",
    root=_HERE,
    options=LiifOptions,
    weights={"lite": _HERE / "weights" / "lite.safetensors"},
    default_weights="lite",
    weights_how=(
        "the paper's weights are not shipped: give a file with --weights liif=PATH, either one that 'bench train liif' "
        "made or the authors' edsr-baseline-liif.pth"
    ),
)
