"""Small images on disk, made by Pillow so that the reader under test is not its own witness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def save_image() -> Callable[..., np.ndarray]:
    """Write a random image: save_image(path, (height, width), mode="RGB", seed=0) -> its pixels."""

    def save(path: Path, size: tuple[int, int], *, mode: str = "RGB", seed: int = 0) -> np.ndarray:
        path.parent.mkdir(parents=True, exist_ok=True)
        channels = {"L": (), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}[mode]
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, *channels), dtype=np.uint8)
        Image.fromarray(pixels, mode).save(path) if mode == "CMYK" else Image.fromarray(pixels).save(path)
        return pixels

    return save
