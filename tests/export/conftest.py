"""A real run to export, and what was published of the formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from tests.leaderboard.conftest import three_photos

SCALES = "2,3"
METRICS = "psnr,ssim,selfssim"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two methods at two scales on three images; nobody changes it."""
    root = tmp_path_factory.mktemp("export")
    photos = three_photos(root)
    out = root / "run"
    bench.run("nearest,bicubic", SCALES, datasets=str(photos), metrics=METRICS, out=out, workers=0, device="cpu")
    return out


@pytest.fixture
def run_folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be changed."""
    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    return folder


@pytest.fixture(scope="session")
def eee_schema() -> dict[str, Any]:
    """Every Eval Ever's schema as it was published."""
    path = Path(__file__).parent / "vendored" / "eval.schema-0.3.0.json"
    return json.loads(path.read_text(encoding="utf-8"))


Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def change_image(folder: Path, change: Change) -> None:
    """Change what the records of bicubic at x2 say of their last image; None: it is not there."""
    path = folder / "records" / "bicubic" / "Photos" / "x2-s0.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    changed = [change(record) if record["image"] == "image2" else record for record in records]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in changed if record is not None), encoding="utf-8")
