"""What pyiqa offers and which files each of its metrics needs, read without importing pyiqa or torch.

Names, modes and directions come from the installed package's own table (`default_model_configs.py`, plain data). The
files are facts of pyiqa 0.1.16's architectures; a metric that is not listed below is tried when it is first used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.api import RequestError, unknown_name
from bench.metrics.weights import WeightsFile, pyiqa_file, torchvision_file

_NO_WEIGHTS = (
    *("psnr", "psnry", "ssim", "ssimc", "ms_ssim", "cw_ssim", "fsim", "gmsd", "vsi", "vif", "nlpd", "mad"),
    *("piqe", "entropy"),
)
_VGG16 = torchvision_file("vgg16-397923af.pth")
_CLIP_HOST = "https://openaipublic.azureedge.net/clip/models/"
_CLIP_RN50 = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
_CLIP = WeightsFile("clip/RN50.pt", f"{_CLIP_HOST}{_CLIP_RN50}/RN50.pt", _CLIP_RN50)

FILES: dict[str, tuple[WeightsFile, ...]] = {
    **dict.fromkeys(_NO_WEIGHTS, ()),
    "musiq": (pyiqa_file("musiq_koniq_ckpt-e95806b9.pth"),),
    "musiq-ava": (pyiqa_file("musiq_ava_ckpt-e8d3f067.pth"),),
    "musiq-paq2piq": (pyiqa_file("musiq_paq2piq_ckpt-364c0c84.pth"),),
    "musiq-spaq": (pyiqa_file("musiq_spaq_ckpt-358bb6af.pth"),),
    "dists": (_VGG16, pyiqa_file("DISTS_weights-f5e65c96.pth")),
    "maniqa": (pyiqa_file("ckpt_koniq10k.pt"),),
    "maniqa-kadid": (pyiqa_file("ckpt_kadid10k.pt"),),
    "maniqa-pipal": (pyiqa_file("MANIQA_PIPAL-ae6d356b.pth"),),
    "clipiqa": (_CLIP,),
    "clipiqa+": (_CLIP, pyiqa_file("CLIP-IQA+_learned_prompts-603f3273.pth")),
    "niqe": (pyiqa_file("niqe_modelparameters.mat"),),
    "niqe_matlab": (pyiqa_file("niqe_matlab_params.mat"),),
    "ilniqe": (pyiqa_file("ILNIQE_templateModel.mat"),),
    "nrqm": (pyiqa_file("NRQM_model.mat"),),
    "pi": (pyiqa_file("niqe_modelparameters.mat"), pyiqa_file("NRQM_model.mat")),
    "brisque": (pyiqa_file("brisque_svm_weights.pth"),),
    "brisque_matlab": (pyiqa_file("brisque_matlab.mat"),),
}
"""pyiqa's name -> the files it loads, in the order of the signature; names that are missing are unknown, not none."""

PACKAGES = {"clipiqa": ("clip", "pkg_resources"), "clipiqa+": ("clip", "pkg_resources")}
"""Modules that pyiqa does not install itself: OpenAI's CLIP imports pkg_resources, which setuptools 81 dropped."""

NOT_PER_IMAGE = {
    "fid": "it compares whole sets: ask for 'fid'",
    "sfid": "it compares whole sets, which only 'fid' does here",
    "fid_dinov2": "it compares whole sets, which only 'fid' does here",
    "inception_score": "it judges a whole set",
    "clipscore": "it needs a caption for every image",
    "fgresq_pair": "it gives three numbers instead of one",
}
"""Metrics of pyiqa that do not give one number for one image."""


@dataclass(frozen=True)
class PyiqaMetric:
    """One entry of pyiqa's table.

    Attributes:
        name: pyiqa's name.
        reference: It compares with a reference.
        lower_better: Direction.
        score_range: pyiqa's note on the range.
        files: What it loads; None: not known before it is built.
    """

    name: str
    reference: bool
    lower_better: bool
    score_range: str
    files: tuple[WeightsFile, ...] | None


@lru_cache(maxsize=1)
def pyiqa_metrics() -> Mapping[str, PyiqaMetric]:
    """pyiqa's per-image metrics by name; empty where pyiqa is not installed."""
    return {
        name: PyiqaMetric(
            name,
            config.get("metric_mode") == "FR",
            bool(config.get("lower_better", False)),
            str(config.get("score_range", "")),
            FILES.get(name),
        )
        for name, config in _table().items()
        if name not in NOT_PER_IMAGE
    }


def find_pyiqa(name: str) -> PyiqaMetric:
    """An entry by pyiqa's name.

    Raises:
        RequestError: pyiqa has no such metric (names the nearest), it is not one number per image, or pyiqa is not
            installed.
    """
    known = pyiqa_metrics()
    if name in known:
        return known[name]
    if not known:
        raise RequestError(f"'pyiqa:{name}' needs the package pyiqa, which is not installed: pip install pyiqa")
    if name in NOT_PER_IMAGE:
        raise RequestError(f"'pyiqa:{name}' cannot be used for single images: {NOT_PER_IMAGE[name]}")
    raise unknown_name("metric", f"pyiqa:{name}", [f"pyiqa:{other}" for other in known], "bench metrics")


def missing_package(name: str) -> str | None:
    """Why a metric lacks a package here; None where it has all of them."""
    for module in ("pyiqa", *PACKAGES.get(name, ())):
        if importlib.util.find_spec(module) is None:
            how = {"pkg_resources": "'setuptools<81'", "clip": "openai-clip"}.get(module, module)
            return f"the module {module} is not installed: pip install {how}"
    return None


def _table() -> Mapping[str, Mapping[str, Any]]:
    package = importlib.util.find_spec("pyiqa")  # finds it without importing it
    for folder in (package.submodule_search_locations or ()) if package is not None else ():
        path = Path(folder) / "default_model_configs.py"
        spec = importlib.util.spec_from_file_location("_pyiqa_default_model_configs", path)
        if path.is_file() and spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.DEFAULT_CONFIGS
    return {}
