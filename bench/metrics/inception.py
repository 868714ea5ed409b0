"""Features of the Inception network of FID, through pyiqa's port of pytorch-fid's (weights from the 2015 TF graph)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.api import Unavailable
from bench.imaging import read_image
from bench.metrics.base import Pixels
from bench.metrics.pyiqa_build import build

SIDE = 299
BATCH = 8


def load_inception(path: Path, weights_root: Path | None) -> Any:
    """The network up to its 2048 pooled features, filled strictly from a file.

    Raises:
        Unavailable: the file cannot be read or has other layers.
    """

    def make() -> Any:
        from pyiqa.archs import inception as source

        if Path(source.FID_WEIGHTS_URL).name != path.name:
            raise Unavailable(f"this pyiqa loads {Path(source.FID_WEIGHTS_URL).name} for FID, expected {path.name}")
        return source.InceptionV3(output_blocks=[3]).eval()

    return build("FID's Inception network", make, weights_root, cache=path.parent)


def features(network: Any, images: Iterable[Pixels | Path]) -> NDArray[np.float64]:
    """Pooled features of images, read and shrunk one by one.

    Args:
        network: As `load_inception` gives it.
        images: (H, W, 3) or (H, W), uint8 or uint16, or paths of such files.
    Returns:
        (images, 2048) float64.
    """
    found = []
    rest: Iterator[NDArray[np.float32]] = (prepared(image) for image in images)
    while batch := list(islice(rest, BATCH)):
        with torch.inference_mode():
            output = network(torch.from_numpy(np.stack(batch)), False, False)[0]
        found.append(output.flatten(1).double().numpy())
    return np.concatenate(found) if found else np.empty((0, 2048))


def prepared(image: Pixels | Path) -> NDArray[np.float32]:
    """(3, 299, 299) float32 as clean-fid makes it: Pillow's antialiased bicubic per channel, clipped, about [-1, 1]."""
    pixels = read_image(image).pixels if isinstance(image, Path) else image
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    values = pixels.astype(np.float32) if pixels.dtype == np.uint8 else pixels.astype(np.float32) / np.float32(257)
    planes = [
        np.asarray(Image.fromarray(values[..., c]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for c in range(3)
    ]
    return ((np.stack(planes).clip(0, 255) - 128) / 128).astype(np.float32)
