"""Reading: every format and depth that data sets come in, and every way in which a file can be unusable."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from bench.imaging import ImageError, read_image, read_png_exact, write_png

RNG = np.random.default_rng(7)
RGB8 = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)
RGB16 = RNG.integers(0, 65536, (13, 17, 3), dtype=np.uint16)
GRAY16 = np.ascontiguousarray(RGB16[:, :, 0])
REDUCED = np.rint(RGB16 / 257).astype(np.uint8)
FORMATS = {"png": {}, "jpg": {"quality": 90}, "bmp": {}, "tif": {}, "webp": {"lossless": True}}


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def png(pixels: np.ndarray, colour_type: int, extra: bytes = b"") -> bytes:
    """A PNG built by hand, for what no library writes."""
    height, width = pixels.shape[:2]
    big = pixels.astype(">u2" if pixels.dtype == np.uint16 else np.uint8)
    rows = b"".join(b"\0" + big[i].tobytes() for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.reference
@pytest.mark.parametrize("name", ["Set5", "Set14", "BSD100"])
def test_decoded_pixels_are_the_published_ones(reference_root, name):
    """Catches another JPEG decoder, BGR order, a gray file that is not recognised."""
    manifest = reference_root / "data/manifests" / f"{name}.pixels.sha256"
    lines = manifest.read_text().split("\n")[:-1]
    assert len(lines) >= 5
    for line in lines:
        digest, file = line.split(maxsplit=1)
        image = read_image(reference_root / "data/test" / name / file)
        rgb = np.repeat(image.pixels[:, :, None], 3, axis=2) if image.gray else image.pixels
        assert hashlib.sha256(str(rgb.shape).encode() + rgb.tobytes()).hexdigest() == digest, file


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_colour_and_gray_of_8_bit_are_pillows_pixels(tmp_path, suffix):
    """Catches BGR order and a gray file read as three channels."""
    colour = saved(tmp_path / f"c.{suffix}", Image.fromarray(RGB8), **FORMATS[suffix])
    image = read_image(colour)
    np.testing.assert_array_equal(image.pixels, np.asarray(Image.open(colour).convert("RGB")))
    assert (image.gray, image.bits, image.pixels.dtype) == (False, 8, np.uint8)
    if suffix != "webp":  # WebP has no gray
        gray = saved(tmp_path / f"g.{suffix}", Image.fromarray(RGB8[:, :, 0]), **FORMATS[suffix])
        image = read_image(gray)
        np.testing.assert_array_equal(image.pixels, np.asarray(Image.open(gray)))
        assert image.gray
        assert image.pixels.ndim == 2


def test_bilevel_and_low_depth_gray_span_the_full_range(tmp_path):
    """Catches 0/1 or 0..3 pixels from 1- and 2-bit files."""
    bits = (RGB8[:, :, 0] > 127).astype(np.uint8) * 255
    np.testing.assert_array_equal(
        read_image(saved(tmp_path / "1.png", Image.fromarray(bits).convert("1"))).pixels, bits
    )
    quarters = RGB8[:, :, 0] // 64 * 85
    np.testing.assert_array_equal(
        read_image(saved(tmp_path / "2.png", Image.fromarray(quarters), bits=2)).pixels, quarters
    )


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"tile": (16, 16)}])
def test_16_bit_tiff(tmp_path, options):
    """Catches Pillow's silent truncation to the high byte (v >> 8 instead of round(v / 257))."""
    tifffile.imwrite(tmp_path / "c.tif", RGB16, photometric="rgb", **options)
    tifffile.imwrite(tmp_path / "g.tif", GRAY16, **options)
    colour, gray = read_image(tmp_path / "c.tif"), read_image(tmp_path / "g.tif")
    np.testing.assert_array_equal(colour.pixels, REDUCED)
    np.testing.assert_array_equal(gray.pixels, REDUCED[:, :, 0])
    assert (colour.bits, gray.bits, colour.gray, gray.gray) == (16, 16, False, True)


def test_16_bit_tiff_with_white_as_zero_is_inverted(tmp_path):
    tifffile.imwrite(tmp_path / "w.tif", GRAY16, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "w.tif").pixels, 255 - REDUCED[:, :, 0])


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (RGB16.transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        (GRAY16.astype(np.int16), {}),
        (GRAY16.astype(np.float32), {}),
        (GRAY16.astype(np.uint32), {}),
    ],
)
def test_tiffs_that_would_be_decoded_wrongly_are_refused(tmp_path, pixels, options):
    tifffile.imwrite(tmp_path / "x.tif", pixels, **options)
    with pytest.raises(ImageError, match=r"x\.tif: expected"):
        read_image(tmp_path / "x.tif")


def test_16_bit_png(tmp_path):
    """Catches channel order, byte order, and gray-alpha expanded to colour."""
    cv2.imwrite(str(tmp_path / "c.png"), RGB16[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "g.png"), GRAY16)
    opaque = np.full_like(GRAY16, 65535)
    (tmp_path / "la.png").write_bytes(png(np.dstack([GRAY16, opaque]), 4))
    (tmp_path / "rgba.png").write_bytes(png(np.dstack([RGB16, opaque]), 6))
    np.testing.assert_array_equal(read_image(tmp_path / "c.png").pixels, REDUCED)
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png").pixels, REDUCED)
    np.testing.assert_array_equal(read_image(tmp_path / "g.png").pixels, REDUCED[:, :, 0])
    np.testing.assert_array_equal(read_image(tmp_path / "la.png").pixels, REDUCED[:, :, 0])
    assert read_image(tmp_path / "la.png").bits == 16


def test_palettes_are_expanded(tmp_path):
    """Catches indices taken for gray levels."""
    for suffix in ("png", "bmp", "tif"):
        palette = Image.fromarray(RGB8).convert("P", palette=Image.Palette.ADAPTIVE)
        image = read_image(saved(tmp_path / f"p.{suffix}", palette))
        np.testing.assert_array_equal(image.pixels, np.asarray(palette.convert("RGB")))
        assert not image.gray


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_alpha_is_refused_or_composited(tmp_path, suffix):
    """Catches alpha dropped silently, and straight alpha taken for premultiplied."""
    alpha = np.where(RGB8[:, :, 0] > 100, 255, RGB8[:, :, 1]).astype(np.uint8)
    path = saved(tmp_path / f"a.{suffix}", Image.fromarray(np.dstack([RGB8, alpha])), **FORMATS[suffix])
    stored = np.asarray(Image.open(path).convert("RGBA")).astype(np.float64)
    with pytest.raises(ImageError, match=r"alpha channel with .*% of the pixels"):
        read_image(path)
    share = stored[:, :, 3:] / 255
    for policy, ground in (("white", 255), ("black", 0)):
        expected = np.floor(stored[:, :, :3] * share + ground * (1 - share) + 0.5 + 1e-9)
        np.testing.assert_array_equal(read_image(path, alpha=policy).pixels, expected)


def test_opaque_alpha_is_dropped_under_every_policy(tmp_path):
    path = saved(tmp_path / "o.png", Image.fromarray(RGB8).convert("RGBA"))
    for policy in ("refuse", "white", "black"):
        np.testing.assert_array_equal(read_image(path, alpha=policy).pixels, RGB8)


def test_transparent_colours_count_as_alpha(tmp_path):
    """Catches a tRNS chunk being ignored, and a gray image growing channels with it."""
    colour = saved(tmp_path / "c.png", Image.fromarray(RGB8), transparency=tuple(int(v) for v in RGB8[0, 0]))
    gray = saved(tmp_path / "g.png", Image.fromarray(RGB8[:, :, 0]), transparency=int(RGB8[0, 0, 0]))
    for path in (colour, gray):
        with pytest.raises(ImageError, match="alpha"):
            read_image(path)
    assert tuple(read_image(colour, alpha="white").pixels[0, 0]) == (255, 255, 255)
    assert read_image(gray, alpha="black").pixels[0, 0] == 0
    assert read_image(gray, alpha="black").gray


def test_unknown_alpha_policy_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'drop'.*refuse"):
        read_image(tmp_path / "x.png", alpha="drop")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied_once(tmp_path, suffix, orientation):
    """Catches no turning, turning the wrong way, and turning a TIFF twice (Pillow turns it itself)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"o.{suffix}", Image.fromarray(RGB8), exif=exif, **FORMATS[suffix])
    expected = ImageOps.exif_transpose(Image.open(path))
    np.testing.assert_array_equal(read_image(path).pixels, np.asarray(expected))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_files(tmp_path, orientation):
    """Catches OpenCV's own turning of TIFFs being repeated, and its not turning PNGs."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    saved(tmp_path / "8.png", Image.fromarray(REDUCED), exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "8.png")))
    tifffile.imwrite(tmp_path / "16.tif", RGB16, photometric="rgb", extratags=[(274, "H", 1, orientation, False)])
    body = exif.tobytes()
    (tmp_path / "16.png").write_bytes(png(RGB16, 2, chunk(b"eXIf", body.removeprefix(b"Exif\0\0"))))
    np.testing.assert_array_equal(read_image(tmp_path / "16.tif").pixels, expected)
    np.testing.assert_array_equal(read_image(tmp_path / "16.png").pixels, expected)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_is_refused(tmp_path, suffix):
    path = saved(tmp_path / f"x.{suffix}", Image.fromarray(RGB8).convert("CMYK"))
    with pytest.raises(ImageError, match=r"expected gray or RGB, got a CMYK"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_animations_and_pages_are_refused(tmp_path, suffix):
    """Catches silently scoring the first frame."""
    frame = Image.fromarray(RGB8)
    path = tmp_path / f"x.{suffix}"
    frame.save(path, save_all=True, append_images=[Image.fromarray(255 - RGB8)], **FORMATS[suffix])
    with pytest.raises(ImageError, match=r"x\..*animated"):
        read_image(path)


@pytest.mark.parametrize("suffix", list(FORMATS))
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.8, 0.97])
def test_cut_off_files_are_refused(tmp_path, suffix, share):
    """Catches a decoder that fills the missing rows with gray and goes on."""
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path / f"t.{suffix}", Image.fromarray(noise), **FORMATS[suffix])
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    expected = "zero bytes" if share == 0 else "expected|truncated"
    with pytest.raises(ImageError, match=rf"t\.{suffix}: .*({expected})"):
        read_image(path)


def test_cut_off_16_bit_tiff_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "t.tif", RGB16, photometric="rgb")
    data = (tmp_path / "t.tif").read_bytes()
    (tmp_path / "t.tif").write_bytes(data[:-100])
    with pytest.raises(ImageError, match=r"t\.tif: expected"):
        read_image(tmp_path / "t.tif")


def test_a_flipped_byte_in_a_png_is_noticed(tmp_path):
    """Catches skipping the checksum: OpenCV decodes some damaged files without a word."""
    path = tmp_path / "f.png"
    write_png(path, RGB8)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for read in (read_image, read_png_exact):
        with pytest.raises(ImageError, match="checksum"):
            read(path)


def test_missing_files_folders_and_other_formats_say_what_was_seen(tmp_path):
    (tmp_path / "notes.jpg").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    saved(tmp_path / "x.gif", Image.fromarray(RGB8))
    for name, seen in {
        "none.png": "No such file",
        "folder.png": "directory",
        "notes.jpg": "12 bytes that are none",
        "x.gif": "got GIF",
    }.items():
        with pytest.raises(ImageError, match=rf"{name}: expected a PNG, JPEG, .*{seen}"):
            read_image(tmp_path / name)


def test_unicode_and_spaces_in_names_and_a_lying_suffix(tmp_path):
    """Catches decoders that open the path themselves (OpenCV on Windows) and trust in the suffix."""
    folder = tmp_path / "Bilder für mich 画像"
    folder.mkdir()
    path = folder / "ein schönes Bild №1 .jpg"
    stream = io.BytesIO()
    Image.fromarray(RGB8).save(stream, format="PNG")
    path.write_bytes(stream.getvalue())
    np.testing.assert_array_equal(read_image(path).pixels, RGB8)
    write_png(folder / "ä b.png", RGB8)
    np.testing.assert_array_equal(read_image(str(folder / "ä b.png")).pixels, RGB8)


@pytest.mark.parametrize("pixels", [RGB8, RGB8[:, :, 0], RGB16, GRAY16, RGB8[1:9, 2:11], RGB8[:1, :1]])
@pytest.mark.parametrize("compress", [True, False])
def test_stored_images_come_back_exactly(tmp_path, pixels, compress):
    """Catches BGR order on one side only, and 16 bit reduced to 8."""
    write_png(tmp_path / "s.png", pixels, compress=compress)
    back = read_png_exact(tmp_path / "s.png")
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)
    assert [file.name for file in tmp_path.iterdir()] == ["s.png"]


def test_exact_reading_refuses_what_the_store_never_writes(tmp_path):
    saved(tmp_path / "p.png", Image.fromarray(RGB8).convert("P"))
    saved(tmp_path / "j.jpg", Image.fromarray(RGB8))
    with pytest.raises(ImageError, match=r"p\.png: expected an opaque"):
        read_png_exact(tmp_path / "p.png")
    with pytest.raises(ImageError, match=r"j\.jpg: expected a PNG"):
        read_png_exact(tmp_path / "j.jpg")


def test_write_png_refuses_floats_and_alpha(tmp_path):
    for pixels in (RGB8.astype(np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(ImageError, match="write_png expects"):
            write_png(tmp_path / "x.png", pixels)  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())
