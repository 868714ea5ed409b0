"""Which files the three LPIPS networks are made of, and the hashes that tell them from anything else; no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from bench.api import Unavailable
from bench.metrics.weights import WeightsFile, full_hash, torchvision_file

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
EPSILON = 1e-10
"""Inputs in [-1, 1] are (x - SHIFT) / SCALE to the backbones, per channel; EPSILON is added to each feature's norm."""


@dataclass(frozen=True)
class LPIPSFiles:
    """One network.

    Attributes:
        net: Name in the literature: alex, vgg, squeeze.
        model: torchvision's name of the backbone.
        backbone: Its parameter file.
        features_sha256: Of the feature layers alone (`features_hash`), so that a file without the
            classifier is recognised too; empty: only the whole file's published hash counts.
        heads: The learned weights, inside the installed package `lpips`.
        heads_sha256: First digits; they are also in the names of pyiqa's copies of the same files.
        read_after: Indices of torchvision's feature modules whose outputs are compared.
        tile: Side of the tiles in pixels, chosen for less than 1 GB of activations.
        in_numpy: `bench.metrics.lpips_alex` computes it, without torch.
    """

    net: str
    model: str
    backbone: WeightsFile
    features_sha256: str
    heads: str
    heads_sha256: str
    read_after: tuple[int, ...]
    tile: int
    in_numpy: bool = False

    def token(self) -> str:
        """The weights token; the bytes are compared with these hashes before they are used."""
        return f"w:{self.backbone.expected_hash()}+{self.heads_sha256}"


ALEX = LPIPSFiles(
    "alex",
    "alexnet",
    torchvision_file("alexnet-owt-7be5be79.pth"),
    "8eed026b364dd02bdf76d6ca5a9bfaa0efb090d22a8b79ad51186269c08605c7",
    "weights/v0.1/alex.pth",
    "df73285e",
    (1, 4, 7, 9, 11),
    2048,
    in_numpy=True,
)
VGG = LPIPSFiles(
    "vgg",
    "vgg16",
    torchvision_file("vgg16-397923af.pth"),
    "",
    "weights/v0.1/vgg.pth",
    "a78928a0",
    (3, 8, 15, 22, 29),
    512,
)
SQUEEZE = LPIPSFiles(
    "squeeze",
    "squeezenet1_1",
    torchvision_file("squeezenet1_1-b8a52dc0.pth"),
    "8f728f13ffc4c9ed6b00faa9362ec13d7d3520652d0a8357047045aba9def764",
    "weights/v0.1/squeeze.pth",
    "4a5350f2",
    (1, 4, 7, 9, 10, 11, 12),
    1024,
)


def features_hash(state: Mapping[str, Any]) -> str:
    """The sha256 of parameters (tensors or arrays) by name and bytes, independent of the file they came in."""
    whole = hashlib.sha256()
    for key in sorted(state):
        whole.update(key.encode())
        whole.update(np.ascontiguousarray(state[key]).tobytes())
    return whole.hexdigest()


def heads_file(files: LPIPSFiles) -> Path:
    """The learned heads in the installed package `lpips`, of which nothing is imported.

    Raises:
        Unavailable: not installed, or not the published ones.
    """
    package = find_spec("lpips")
    if package is None or package.origin is None:
        raise Unavailable("the package 'lpips' is not installed; it carries the learned heads: pip install lpips")
    path = Path(package.origin).parent / files.heads
    if not path.is_file() or not full_hash(path).startswith(files.heads_sha256):
        raise Unavailable(
            f"{path} is not the published LPIPS v0.1 file (sha256 {files.heads_sha256}…): reinstall lpips"
        )
    return path
