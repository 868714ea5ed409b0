"""PNG files that are written row by row."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.imaging import read_png_exact, write_png
from bench.imaging.png import inspect_png
from bench.imaging.png_rows import encoded_rows

rng = np.random.default_rng(3)
IMAGES = {
    "rgb": rng.integers(0, 256, (37, 53, 3), np.uint8),
    "gray": rng.integers(0, 256, (37, 53), np.uint8),
    "rgb16": rng.integers(0, 65536, (37, 53, 3), np.uint16),
    "gray16": rng.integers(0, 65536, (37, 53), np.uint16),
    "strips": rng.integers(0, 256, (700, 900, 3), np.uint8),
    "one pixel": np.array([[[1, 2, 3]]], np.uint8),
    "view": rng.integers(0, 256, (40, 60, 3), np.uint8)[::-1, 5:50],
}


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("name", IMAGES)
def test_rows_come_back_exactly(tmp_path: Path, name: str, compress: bool) -> None:
    """Catches samples in the wrong byte order, a filter across pixels of another width, and a lost last strip."""
    pixels, path = IMAGES[name], tmp_path / "image.png"
    data = b"".join(encoded_rows(pixels, compress=compress))
    assert inspect_png(data).size == pixels.shape[:2]  # it checks every CRC
    path.write_bytes(data)
    np.testing.assert_array_equal(read_png_exact(path), pixels)
    if pixels.dtype == np.uint8:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_a_large_image_is_not_held_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an encoder that copies the image or keeps the whole file: noise, which does not compress, is 27 MB."""
    monkeypatch.setattr("bench.imaging.io._STREAMED_PIXELS", 2**20)
    pixels = rng.integers(0, 256, (3000, 3000, 3), np.uint8)
    tracemalloc.start()
    try:
        write_png(tmp_path / "large.png", pixels)
        assert tracemalloc.get_traced_memory()[1] < pixels.nbytes / 4
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(read_png_exact(tmp_path / "large.png"), pixels)


def test_a_photograph_gets_smaller() -> None:
    """Catches rows that are left unfiltered, or stored, when compression is asked for."""
    ramp = np.add.outer(np.arange(400), np.arange(300)).astype(np.uint8)
    packed = sum(map(len, encoded_rows(np.stack([ramp] * 3, axis=2))))
    assert packed < ramp.size * 3 / 20
