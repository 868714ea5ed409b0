"""The blind arbitrary-scale model as a registered method (no torch here)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from bench.api import MethodInfo, MethodSpec, Tiling
from methods.lte.info import ArbSROptions

_HERE = Path(__file__).parent


class BlindOptions(ArbSROptions):
    """What `--set blind_assr.KEY=VALUE` may change."""

    z_window: int | None = Field(default=None, ge=0)
    """Side of the windows whose mean z is the image's; 0: the whole image at once; null: as the weights say."""
    encoder_range: Literal["unit", "signed"] = "unit"
    """Values that the degradation encoder gets: [0, 1] as in training, or [-1, 1] as the release's evaluation does."""


BLIND_ASSR = MethodSpec(
    info=MethodInfo(
        name="blind_assr",
        display="Blind-ASSR",
        summary="LTE modulated by a degradation representation, trained with a cycle through estimated kernels",
        paper=(
            "Weng, Yuan, Xu, Huang, Chiu, Best of Both Worlds: Learning Arbitrary-Scale Blind Super-Resolution via "
            "Dual Degradation Representations and Cycle-Consistency, WACV 2024"
        ),
        licence="Apache-2.0",
        train_scales=(1.0, 4.0),
        train_sets=("BSDS500 train", "BSDS500 test", "T91", "General100"),
        tiling=Tiling.INTERNAL,
        parameters=509_261,
    ),
    factory="methods.blind_assr.method:BlindASSRMethod",
    root=_HERE,
    options=BlindOptions,
    weights={"lite": _HERE / "weights" / "lite.safetensors"},
    default_weights="lite",
    weights_how=(
        "the paper's weights are not shipped: give a file that 'bench train blind_assr' made, with "
        "--weights blind_assr=PATH"
    ),
)
