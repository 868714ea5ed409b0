"""The four interpolations as registered methods (no torch here)."""

from __future__ import annotations

from pathlib import Path

from bench.api import MethodInfo, MethodSpec


def _spec(name: str, display: str, summary: str, *, paper: str = "") -> MethodSpec:
    return MethodSpec(
        info=MethodInfo(name=name, display=display, summary=summary, paper=paper, licence="Apache-2.0", parameters=0),
        factory=f"methods.classic.method:{display}",
        root=Path(__file__).parent,
    )


NEAREST = _spec("nearest", "Nearest", "nearest neighbour, MATLAB's pixel centres")
BILINEAR = _spec("bilinear", "Bilinear", "triangle kernel, MATLAB's imresize in float64, not rounded")
BICUBIC = _spec(
    "bicubic",
    "Bicubic",
    "Keys cubic (a = -0.5), MATLAB's imresize in float64, not rounded",
    paper="Keys, Cubic convolution interpolation for digital image processing, IEEE TASSP 1981",
)
LANCZOS = _spec(
    "lanczos",
    "Lanczos",
    "Lanczos kernel with three lobes (MATLAB's 'lanczos3') in float64, not rounded",
    paper="Duchon, Lanczos filtering in one and two dimensions, J. Appl. Meteorology 1979",
)
