"""Checkpoints of the spandrel library as a registered method (no torch here)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from pydantic import Field

from bench.api import MethodInfo, MethodOptions, MethodSpec, Scale, Tiling

WEIGHTS_HOW = (
    "give a checkpoint of an architecture that spandrel knows (ESRGAN, SwinIR, HAT, SPAN, Compact, ...) with "
    "--weights spandrel=FILE.safetensors (or .pth, .pt, .ckpt)"
)


class SpandrelOptions(MethodOptions):
    """`--set spandrel.KEY=VALUE`."""

    passes: int = Field(default=1, ge=1, le=8, description="How often the model is applied before the resize.")
    tile: int | None = Field(
        default=None,
        ge=32,
        description="LR tile side to begin with; None: the whole image, smaller on a lack of memory.",
    )


def fingerprint(options: MethodOptions, image: str, scale: Scale) -> str:
    """The version of the library, whose code is the network."""
    return f"spandrel {version('spandrel')}"


SPANDREL = MethodSpec(
    info=MethodInfo(
        name="spandrel",
        display="Spandrel",
        summary="a fixed-scale checkpoint loaded by the spandrel library, then MATLAB's bicubic to the exact size",
        licence="MIT (the library); that of the checkpoint",
        tiling=Tiling.INTERNAL,
        resize_rule=(
            "a checkpoint of one scale, applied once or as often as `passes` says, then resized to the exact size with "
            "MATLAB's bicubic (antialiased where that shrinks)"
        ),
    ),
    factory="methods.spandrel.method:Spandrel",
    root=Path(__file__).parent,
    options=SpandrelOptions,
    weights_how=WEIGHTS_HOW,
    needs_weights=True,
    fingerprint=fingerprint,
    fingerprint_per_image=False,
)
