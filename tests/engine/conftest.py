"""Small folders of images and requests on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.api import get_protocol
from bench.data import resolve_dataset
from bench.engine.choice import choose_methods
from bench.engine.request import RunRequest
from bench.imaging import write_png
from bench.metrics.catalog import choose_metrics


def make_photo(seed: int, size: tuple[int, int] = (72, 96)) -> np.ndarray:
    """A smooth random colour image with some edges, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 24.0
    waves = [np.sin(a * y + b * x + c) for a, b, c in rng.uniform(0.3, 3, (9, 3))]
    planes = [sum(waves[3 * c : 3 * c + 3]) + (x + y > rng.uniform(1, 5)) for c in range(3)]
    image = np.stack(planes, axis=-1)
    return np.clip(128 + 30 * image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder `Photos` of four images."""
    folder = tmp_path / "Photos"
    folder.mkdir()
    for index in range(4):
        write_png(folder / f"photo {index}.png", make_photo(index))
    return folder


@pytest.fixture
def make_request(tmp_path: Path, photos: Path) -> Callable[..., RunRequest]:
    """Build a request on the photos; keyword arguments replace the defaults."""

    def build(
        *,
        methods: str = "bicubic",
        datasets: tuple[Path, ...] | None = None,
        scales: tuple[float, ...] = (2.0,),
        metrics: tuple[str, ...] = ("psnr", "ssim"),
        protocol: str = "sample",
        workers: int = 0,
        out: Path | None = None,
        overrides: tuple[str, ...] = (),
        **others: object,
    ) -> RunRequest:
        return RunRequest(
            methods=choose_methods(methods.split(","), weights=None, overrides=overrides),
            datasets=tuple(resolve_dataset(str(folder)) for folder in datasets or (photos,)),
            scales=scales,
            metrics=choose_metrics(metrics),
            protocol=get_protocol(protocol),
            out=out or tmp_path / "run",
            workers=workers,
            command="bench run …",
            **others,  # type: ignore[arg-type]
        )

    return build
