"""The page's plugin and a folder of its results through a whole run: ids, scales and changed files reach the method."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.imaging.io import read_png_exact, write_png
from bench.registry import METHODS

PAGE = Path(__file__).parents[2] / "docs" / "add-a-method.md"


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "Photos"
    folder.mkdir()
    y, x = np.mgrid[:40, :52] / 6.0
    for index in range(2):
        waves = [128 + 90 * np.sin(x + index + c) * np.cos(y * (c + 1)) for c in range(3)]
        write_png(folder / f"photo {index}.png", np.stack(waves, -1).astype(np.uint8))
    return folder


def _run(photos: Path, out: Path, *arguments: str) -> dict[tuple[str, str], str]:
    """Run at x2 and x3.5; (image, scale) -> psnr, and the last words under "said"."""
    words = ["run", "--datasets", str(photos), "--scales", "2,3.5", "--metrics", "psnr", "--workers", "0"]
    done = CliRunner().invoke(app, [*words, "--out", str(out), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    with (out / "records.csv").open(newline="") as stream:
        values = {(row["image"], row["scale"]): row["value"] for row in csv.DictReader(stream)}
    assert len(values) == 4
    return {**values, ("said", ""): done.output}


def test_a_plugins_images_score_the_same_when_they_come_from_a_folder(tmp_path, photos):
    plugin = tmp_path / "sharp.py"
    plugin.write_text(PAGE.read_text().split("```python\n")[1].split("```")[0])
    try:
        made = _run(photos, tmp_path / "made", "--plugin", str(plugin), "--methods", "sharp")
    finally:
        METHODS.forget("sharp")
    folder = tmp_path / "made" / "images" / "sharp" / "Photos"
    pattern = "x{scale}-s0/{image}.png"
    again = ["--methods", "precomputed", "--set", f"precomputed.folder={folder}"]
    again += ["--set", f"precomputed.pattern={pattern}"]
    read = _run(photos, tmp_path / "read", *again)
    assert {k: v for k, v in read.items() if k[1]} == {k: v for k, v in made.items() if k[1]}
    assert "computed 0 images (4 were there)" in _run(photos, tmp_path / "read", *again)["said", ""]

    changed = folder / pattern.format(scale="2", image="photo 1")
    write_png(changed, read_png_exact(changed)[::-1].copy())
    last = _run(photos, tmp_path / "read", *again)
    assert "computed 1 image (3 were there)" in last["said", ""]
    differing = {key for key, value in last.items() if key[1] and value != read[key]}
    assert differing == {("photo 1", "2")}
