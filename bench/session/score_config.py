"""The request behind `score`: a run of the method `precomputed` at one scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.api import RequestError, Scale
from bench.api.lists import Names, as_names
from bench.metrics.catalog import choose_metrics
from bench.session.config import RunConfig, make_config

SCORE_OUT = Path("results/runs/score")
ALONE_METRICS = ("niqe",)
ALONE_PROTOCOL = "pyiqa-default"
"""What images without references are scored with unless the user says otherwise: whole, their luma rounded."""


def score_config(
    sr_folder: Path | str,
    hr: Path | str | None,
    *,
    scale: str | Scale | None,
    protocol: str | None,
    metrics: Names | None,
    pattern: str,
    name: str,
    set: Sequence[str],
    out: Path | str | None,
    **others: Any,
) -> RunConfig:
    """The request behind `score`: a run of the method `precomputed` at one scale.

    Args:
        sr_folder, hr, scale, protocol, metrics, pattern, name, set, out: As for `score`.
        others: Further fields of `RunConfig`; an unknown one is an error there.
    """
    folder = Path(sr_folder)
    if not folder.is_dir():
        raise RequestError(f"SR_FOLDER {folder} is not a folder; give the folder that holds the images to score")
    if hr is None:
        # the images stand in for LR images without a reference: the set is then they themselves
        hr, scale, protocol = f"::{folder}", 1 if scale is None else scale, protocol or ALONE_PROTOCOL
        metrics = _alone(metrics, folder)
    if scale is None or protocol is None:
        missing = " and ".join(["--scale"] * (scale is None) + ["--protocol"] * (protocol is None))
        raise RequestError(
            f"{missing} must be given: numbers against references depend on both; such as --scale 4 --protocol "
            "basicsr-y, or --scale 1 --protocol pyiqa-default for images as they are ('bench protocols' lists all)"
        )
    options = [f"precomputed.folder={folder.resolve()}", *([f"precomputed.pattern={pattern}"] if pattern else []), *set]
    values = {
        "methods": ("precomputed",),
        "scales": (scale,),
        "datasets": (str(hr),),
        "protocol": protocol,
        "metrics": metrics,
        "set": options,
        "name": (f"precomputed={name}",) if name else None,
        "out": out if out is not None else SCORE_OUT,
        **others,
    }
    return make_config(values)


def _alone(metrics: Names | None, folder: Path) -> tuple[str, ...]:
    """The metrics of images without references; one that compares is refused."""
    names = ALONE_METRICS if metrics is None else as_names(metrics)
    for metric in choose_metrics(names):
        if metric.looks_at_hr():
            raise RequestError(
                f"{metric.info.name} compares with a reference, and there is none: bench score {folder} HR_FOLDER "
                f"--scale S --protocol P; without one, such as --metrics {','.join(ALONE_METRICS)}"
            )
    return names
