"""Every metric of this package by name, resolved on first use, beside those that other packages register.

`pyiqa:<name>` reaches any metric of pyiqa without being listed here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.api import MetricInfo, MetricRef, RequestError
from bench.metrics.base import Metric
from bench.registry import METRICS

BUILT_IN: dict[str, str] = {
    "psnr": "bench.metrics.psnr:PSNR",
    "ssim": "bench.metrics.ssim:SSIM",
    "lr_psnr": "bench.metrics.lr_psnr:LRPSNR",
    "improvement": "bench.metrics.correctness:Improvement",
    "omission": "bench.metrics.correctness:Omission",
    "hallucination": "bench.metrics.correctness:Hallucination",
    "niqe": "bench.metrics.niqe:NIQE",
    "nrqm": "bench.metrics.nrqm:NRQM",
    "pi": "bench.metrics.pi:PI",
    "lpips": "bench.metrics.lpips_metric:LPIPS",
    "lpips_vgg": "bench.metrics.lpips_metric:LPIPSVGG",
    "lpips_squeeze": "bench.metrics.lpips_metric:LPIPSSqueeze",
    "musiq": "bench.metrics.pyiqa_metrics:MUSIQ",
    "dists": "bench.metrics.pyiqa_metrics:DISTS",
    "maniqa": "bench.metrics.pyiqa_metrics:MANIQA",
    "clipiqa": "bench.metrics.pyiqa_metrics:CLIPIQA",
    "fid": "bench.metrics.fid:FID",
    "selfssim": "bench.metrics.selfssim:SelfSSIM",
    "selfssim_msssim_nn": "bench.metrics.selfssim:SelfMSSSIMNearest",
}
"""name -> "module:Class" of a `Metric`."""
DEFAULT_METRICS = ("psnr", "ssim", "lpips", "niqe")
UNSEEN = {"lpips": "lpips_squeeze"}
"""A metric that networks are trained by -> one of the same kind that judges them by eyes they were not trained on."""

PYIQA_PREFIX = "pyiqa:"
_MAKE_PYIQA = "bench.metrics.pyiqa_metrics:make_pyiqa"
"""make_pyiqa(name without the prefix, weights_root) -> Metric; a RequestError for a name that pyiqa does not have."""

for _name, _target in BUILT_IN.items():
    METRICS.add(_name, _target, origin="assr-bench")


_LUMA = re.compile(r"y[-_]?(?P<before>psnr|ssim)|(?P<after>psnr|ssim)[-_]?y(?:[-_]?channel)?", re.IGNORECASE)


def _luma_hint(name: str) -> str:
    """What "psnr_y" means here: which channel is compared is the protocol's, for it is no other metric."""
    match = _LUMA.fullmatch(name)
    if match is None:
        return ""
    metric = (match["before"] or match["after"]).lower()
    return (
        f"On the luma channel it is --metrics {metric} under a protocol of luma: --protocol basicsr-y (LR made in RGB) "
        "or classic-y (LR made of luma)."
    )


METRICS.hint = _luma_hint


def metric_names() -> list[str]:
    """All registered names, sorted; `pyiqa:<name>` works besides."""
    return METRICS.names()


def make_metric(name: str, weights_root: Path | None = None) -> Metric:
    """A metric by name; imports its module, never torch.

    Args:
        name: A registered name, or "pyiqa:<name>".
        weights_root: Where parameters lie; None: `TORCH_HOME`, else torch's default.
    Raises:
        RequestError: nobody registered it (names the nearest one), its code cannot be loaded, or it goes by another
            name than the one that it is registered under.
    """
    if name.startswith(PYIQA_PREFIX):
        module, _, attribute = _MAKE_PYIQA.partition(":")
        make: Any = getattr(importlib.import_module(module), attribute)
        return make(name.removeprefix(PYIQA_PREFIX), weights_root)
    metric: Metric = METRICS.get(name)(weights_root)
    if metric.info.name != name:
        raise RequestError(
            f"metric '{name}' ({METRICS.origin(name)}) signs its numbers as '{metric.info.name}'; "
            "give its info the name that it is registered under"
        )
    return metric


def choose_metrics(names: Iterable[str], weights_root: Path | None = None) -> tuple[Metric, ...]:
    """The metrics of a request, resolved once, in the order given; repetitions are dropped.

    Args:
        names: As for `make_metric`.
        weights_root: Where parameters lie; None: `TORCH_HOME`, else torch's default.
    Raises:
        RequestError: as `make_metric`.
    """
    return tuple(make_metric(name, weights_root) for name in dict.fromkeys(names))


def default_metrics(minimised: Iterable[str] = (), usual: Iterable[str] = DEFAULT_METRICS) -> tuple[str, ...]:
    """The metrics of a request that names none: the usual ones, and beside each that a row was trained by its
    `UNSEEN` one.

    Args:
        minimised: Metrics that were part of the training of any row.
        usual: Of the protocol.
    """
    trained = set(minimised)
    pairs = ((name, UNSEEN.get(name) if name in trained else None) for name in usual)
    return tuple(dict.fromkeys(each for pair in pairs for each in pair if each is not None))


def metric_info(name: str) -> MetricInfo:
    """What lists and tables need to know of a metric; errors as in `make_metric`."""
    return make_metric(name).info


def known_infos(names: Iterable[str]) -> dict[str, MetricInfo]:
    """Metric -> what tables need to know, without those that nobody registered here.

    Args:
        names: As records hold them; a reference scale behind "@" is left out.
    """
    infos = {}
    for name in dict.fromkeys(MetricRef.parse(name).name for name in names):
        with suppress(RequestError):
            infos[name] = metric_info(name)
    return infos
