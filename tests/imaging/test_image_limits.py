"""Images that are too large, for this program or for the memory: each is named by itself, before it is decoded."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bench.api import PRESETS, ImageRef, Sample, UnitError
from bench.data.pair import prepare
from bench.imaging import ImageError, read_image, read_png_exact, write_png
from bench.imaging import io as reader
from bench.imaging.limit import VARIABLE


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(path: Path, width: int, height: int, pixels: bytes = b"\0" * 16) -> Path:
    """A PNG whose header says a size, and whose pixels are these bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(pixels)) + _chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


@pytest.mark.parametrize("read", [read_image, read_png_exact])
@pytest.mark.parametrize(
    ("width", "height", "named"),
    [
        (2**16, 2**15, "32768 x 65536"),
        (2**31 - 1, 2**31 - 1, "2147483647 x 2147483647"),
        (2**20 + 1, 1, "1 x 1048577"),
        (30000, 30000, "30000 x 30000"),
    ],
)
def test_a_png_of_more_pixels_than_can_be_decoded_is_named(read, width, height, named, tmp_path):
    """Catches OpenCV's own error, and an image that is decoded before its size is looked at."""
    path = _png(tmp_path / "large.png", width, height)
    with pytest.raises(ImageError, match=rf"large\.png: too large .*{named} pixels"):
        read(path)


@pytest.mark.parametrize("sides", [(0, 5), (5, 0)])
def test_a_png_without_pixels_is_damaged(sides, tmp_path):
    """Catches an empty array, which ends far away from here."""
    with pytest.raises(ImageError, match="damaged"):
        read_image(_png(tmp_path / "none.png", *sides))


@pytest.mark.parametrize("suffix", ["jpg", "tif", "webp", "bmp", "png"])
def test_one_limit_for_every_format_that_the_user_may_move(suffix, tmp_path, monkeypatch):
    """Catches a limit that only one decoder knows, and "damaged" for an image that is only large."""
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path)
    monkeypatch.setenv(VARIABLE, "1999")
    with pytest.raises(ImageError, match=rf"a\.{suffix}: too large .*40 x 50 pixels.*{VARIABLE}"):
        read_image(path)
    monkeypatch.setenv(VARIABLE, "2000")
    assert read_image(path).pixels.shape == (40, 50, 3)


def test_a_jpeg_above_pillows_own_limit_is_read(tmp_path):
    """Catches Pillow's limit of 179 megapixels, which came as "truncated or damaged"."""
    path = tmp_path / "wide.jpg"
    assert cv2.imwrite(str(path), np.zeros((2800, 65000), np.uint8))
    assert 179e6 < 2800 * 65000
    assert read_image(path).pixels.shape == (2800, 65000)


@pytest.mark.parametrize("text", ["0", "-5", "many", "1e9", "9" * 5000])
def test_a_limit_that_is_no_number_is_said(text, tmp_path, monkeypatch):
    """Catches a limit that is silently ignored."""
    write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ImageError, match=VARIABLE):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("fault", [MemoryError(), cv2.error("Failed to allocate 3221225472 bytes")])
@pytest.mark.parametrize("read", [read_image, read_png_exact])
def test_a_lack_of_memory_is_the_images_fault_and_named(read, fault, tmp_path, monkeypatch):
    """Catches a traceback that ends the run, and "truncated or damaged"."""
    write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))

    def fails(*_: object) -> None:
        raise fault

    monkeypatch.setattr(reader.cv2, "imdecode", fails)
    with pytest.raises(ImageError, match=r"a\.png: too large for the memory"):
        read(tmp_path / "a.png")


def test_a_lack_of_memory_in_pillow_is_named(tmp_path, monkeypatch):
    """Catches the catch-all for Pillow's plugins, which would call it damaged."""
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(reader, "_pillow_pixels", lambda *_: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(ImageError, match=r"a\.jpg: too large for the memory"):
        read_image(tmp_path / "a.jpg")


def test_an_image_that_does_not_fit_under_a_real_memory_limit_is_named(tmp_path):
    """Catches an allocation failure that only a real one provokes (another exception, or a dead process)."""
    rows = zlib.compress(b"\0" * (1 + 3 * 12000) * 12000, 1)
    header = struct.pack(">IIBBBBB", 12000, 12000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b""))
    code = (
        "import sys, resource; from bench.imaging import read_image, ImageError\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + 200 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "try: read_image(sys.argv[1])\n"
        "except ImageError as fault: print(fault)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "a.png: too large for the memory" in done.stdout, done.stderr


@pytest.mark.parametrize("fault", [MemoryError(), cv2.error("Failed to allocate 3221225472 bytes")])
def test_a_lack_of_memory_while_writing_is_said_as_a_full_disk_is(fault, tmp_path, monkeypatch):
    """Catches a traceback past everybody who writes an image and expects an OSError."""
    monkeypatch.setattr(reader.cv2, "imencode", lambda *_: (_ for _ in ()).throw(fault))
    with pytest.raises(OSError, match="memory"):
        write_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_a_lack_of_memory_while_lr_is_made_fails_that_image(tmp_path, monkeypatch):
    """Catches a MemoryError that ends the run before later, smaller images."""
    write_png(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    monkeypatch.setattr("bench.data.pair.downsample", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(UnitError, match="a is too large for the memory"):
        prepare(Sample("a", hr=ImageRef(tmp_path / "a.png")), 2, PRESETS["basicsr-y"])


@pytest.mark.parametrize("device", ["/dev/zero", "fifo"])
def test_what_never_ends_is_no_image(device, tmp_path):
    """Catches reading a pipe or a device to its end."""
    path = Path(device)
    if device == "fifo":
        path = tmp_path / "fifo.png"
        os.mkfifo(path)
    with pytest.raises(ImageError, match="regular file"):
        read_image(path)


def test_a_bomb_is_refused_before_anything_of_it_is_decoded(tmp_path):
    """Catches 5 GB and a minute for 30000 x 30000 zeros in a small file."""
    rows = zlib.compressobj(1)
    body = b"".join(rows.compress(b"\0" * 90001 * 100) for _ in range(10)) + rows.flush()
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b""))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=r"30000 x 30000 pixels .*900 megapixels"):
        read_image(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
