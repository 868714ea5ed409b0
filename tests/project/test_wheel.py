"""The wheel: everything must work from it, outside the checkout, beside the Hugging Face package `datasets`."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was installed."""
    dist = tmp_path_factory.mktemp("dist")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(dist),
        str(ROOT),
    ]
    subprocess.run(build, check=True, cwd=dist)
    target = tmp_path_factory.mktemp("site")
    (wheel,) = dist.glob("assr_bench-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def run_python(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_the_wheel_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = run_python(
        installed, tmp_path, "-m", "bench", "run", "--methods", "bicubic,liif", "--scales", "4", "--limit", "1"
    )
    assert done.returncode == 0, done.stderr
    assert "LIIF (lite)" in done.stdout
    assert (tmp_path / "results" / "runs" / "default" / "table.tex").is_file()
    where = run_python(installed, tmp_path, "-c", "import bench, methods; print(bench.__file__, methods.__file__)")
    assert all(path.startswith(str(installed)) for path in where.stdout.split())


def test_cards_and_weights_travel_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = run_python(installed, tmp_path, "-m", "bench", "datasets")
    assert done.returncode == 0, done.stderr
    assert "Urban100" in done.stdout
    assert (installed / "methods" / "liif" / "weights" / "lite.safetensors").is_file()
    published = run_python(installed, tmp_path, "-m", "bench", "weights", "list")
    assert "--weights liif=published" in published.stdout, published.stderr


def test_no_top_level_package_shadows_hugging_face_datasets(installed: Path, tmp_path: Path) -> None:
    assert not (installed / "datasets").exists()
    for folder in (tmp_path, ROOT):
        done = run_python(installed, folder, "-c", "import datasets; print(datasets.load_dataset.__module__)")
        assert done.stdout.startswith("datasets."), done.stderr


def test_published_tables_travel_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Found beside the checkout only, they would be missing for everybody who installs the package."""
    done = run_python(installed, tmp_path, "-m", "bench", "table", "--reported", "casarbi/table9")
    assert done.returncode == 0, done.stderr
    assert "22.27" in done.stdout
    audited = run_python(installed, tmp_path, "-m", "bench", "audit", "reported", "--only", "claims")
    assert (audited.returncode, "Kim [25] 0.0455" in audited.stdout) == (1, True), audited.stderr


def test_the_leaderboards_page_can_be_made_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    """Catches a wheel without the page's template, styles, scripts or vendored libraries."""
    code = (
        "from bench.leaderboard.entry import Board; from bench.leaderboard.page import render_page; "
        "print(len(render_page(Board(), (), (), title='Empty')))"
    )
    done = run_python(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1_000_000
