"""Boards made of a real run, of made-up numbers, and a browser that shows the page."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.imaging import write_png
from bench.leaderboard import write_leaderboard

METHODS = "nearest,bilinear,bicubic,lanczos,liif"
SCALES = "2,3,4"


def photo(seed: int, size: tuple[int, int] = (64, 80)) -> np.ndarray:
    """A smooth random colour image, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]] / 14.0
    planes = [np.sin(a * y + b * x + c) for a, b, c in rng.uniform(0.3, 2, (3, 3))]
    return np.clip(128 + 60 * np.stack(planes, -1) + rng.normal(0, 3, (*size, 3)), 0, 255).astype(np.uint8)


def three_photos(root: Path) -> Path:
    """A new folder Photos with three images."""
    photos = root / "Photos"
    photos.mkdir()
    for index in range(3):
        write_png(photos / f"image{index}.png", photo(index))
    return photos


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of five methods at three scales on three images."""
    root = tmp_path_factory.mktemp("leaderboard")
    photos = three_photos(root)
    out = root / "run"
    bench.run(METHODS, SCALES, datasets=str(photos), metrics="psnr,ssim,selfssim", out=out, workers=0, device="cpu")
    return out


@pytest.fixture(scope="session")
def page_folder(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The leaderboard of the run with the published tables, two pictures."""
    out = tmp_path_factory.mktemp("page")
    write_leaderboard([run_folder], out, reported=True, images=2)
    return out


def sent_result(**changes: Any) -> dict[str, Any]:
    """A valid result.json as a dict."""
    value = {
        "dataset": "Set5",
        "scale": 4.0,
        "metric": "psnr",
        "value": 30.5,
        "n": 5,
        "expected": 5,
        "signature": "psnr|y601s|shave:s|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1",
    }
    content = {
        "format": 1,
        "method": {"name": "Theirs", "train_sets": ["DIV2K train"]},
        "sender": "A. Reader",
        "values": [value],
    }
    return {**content, **changes}


@pytest.fixture
def send(tmp_path: Path) -> Callable[..., Path]:
    """Writes a result.json into a new folder and returns the folder."""
    count = iter(range(100))

    def write(content: Any) -> Path:
        folder = tmp_path / f"sent{next(count)}"
        folder.mkdir()
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / "result.json").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; skips where it or its driver is not installed."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed (pip install '.[test]')")
    from selenium.webdriver.chrome.service import Service

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no chromium with chromedriver here (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1400,900",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    session = webdriver.Chrome(options=options, service=Service(driver))
    session.set_script_timeout(60)
    yield session
    session.quit()
