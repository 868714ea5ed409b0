"""Figures: one folder each, from its command's request to its drawing; the table below is all that lists them.

Importing this imports neither torch nor matplotlib nor any figure. Other packages add theirs through the entry-point
group `bench.figures`.
"""

from bench.figures.contract import Drawn, FigureRequest, Numbers
from bench.registry import LazyRegistry

BUILT_IN: dict[str, str] = {
    "kernels": "bench.figures.kernels.request:Kernels",
    "kernel-space": "bench.figures.kernels.request:KernelSpace",
    "selfssim": "bench.figures.selfssim.request:SelfSSIMMatrix",
    "drift": "bench.figures.drift.request:Drift",
    "ranks": "bench.figures.ranks.request:MeanRanks",
    "crops": "bench.figures.crops.request:Crops",
    "curve": "bench.figures.curve.request:Curve",
    "errors": "bench.figures.errors.request:Errors",
    "stages": "bench.figures.stages.request:Stages",
    "sweep": "bench.figures.sweep.request:SweepCurve",
    "plane": "bench.figures.plane.request:Plane",
    "growth": "bench.figures.growth.request:GrowthCurves",
}
"""Word after `bench figure` -> "module:class" of its `FigureRequest`."""

FIGURES: LazyRegistry[type[FigureRequest]] = LazyRegistry("figure", "bench figure --help")
"""name -> its `FigureRequest`, from here and from the entry points."""

for _name, _target in BUILT_IN.items():
    FIGURES.add(_name, _target, origin="assr-bench")

__all__ = ["BUILT_IN", "FIGURES", "Drawn", "FigureRequest", "Numbers"]
