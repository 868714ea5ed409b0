"""Reading images as the field reads them, and writing PNG.

JPEG, palette, BMP, WebP and 8-bit TIFF are decoded by Pillow (published pixel values come from it); plain 8-bit PNG and
everything of 16 bit by OpenCV, which Pillow cannot do. ICC profiles and gamma chunks are ignored, as all SR code does.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.imaging.atomic import atomic_write
from bench.imaging.errors import ImageError
from bench.imaging.limit import require_size
from bench.imaging.png import SIGNATURE, PngHeader, inspect_png
from bench.imaging.png_rows import encoded_rows
from bench.imaging.regular import read_regular

AlphaPolicy = Literal["refuse", "white", "black"]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""File suffixes of images, in lower case."""

_FORMATS = ("PNG", "JPEG", "MPO", "BMP", "TIFF", "WEBP")
_EXPECTED = "a PNG, JPEG, BMP, TIFF or WebP image"
_ORIENTATION, _BITS_PER_SAMPLE, _SAMPLE_FORMAT, _PLANAR = 0x0112, 258, 339, 284
_WHITE_IS_ZERO, _PHOTOMETRIC = 0, 262
_NO_MEMORY = -4
"""OpenCV's StsNoMem."""
_STREAMED_PIXELS = 2**22
"""Above it a PNG is written row by row: OpenCV's encoder holds the image twice more."""
_STRIP_VALUES = 1 << 18

Image.MAX_IMAGE_PIXELS = None  # its limit depends on the format; `require_size` has one for all


@dataclass(frozen=True)
class LoadedImage:
    """A decoded file.

    Attributes:
        pixels: uint8, (H, W, 3) RGB, or (H, W) for a gray file.
        gray: The file has no colour channels.
        bits: Bits per sample in the file: 16, or 8 for 8 and fewer.
    """

    pixels: NDArray[np.uint8]
    gray: bool
    bits: int


def is_image_name(name: str) -> bool:
    """Whether a scan of a folder takes a file of this name for an image.

    >>> [is_image_name(name) for name in ("baby.PNG", "._baby.png", "baby.txt")]
    [True, False, False]
    """
    # "._name.png" are the resource forks that macOS leaves on foreign disks
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def read_image(path: Path | str, *, alpha: AlphaPolicy = "refuse") -> LoadedImage:
    """Read one still image, upright, as 8-bit gray or RGB.

    Args:
        path: PNG, JPEG, BMP, TIFF or WebP, recognised by content; any name.
        alpha: What to do with pixels that are not opaque: refuse the file, or composite it over white or black.
            An alpha channel that is opaque everywhere is dropped under every policy.
    Returns:
        The pixels; 16-bit samples v are reduced to round(v / 257), palettes expanded, EXIF orientation applied.
    Raises:
        ImageError: names the file, what was expected and what was seen: unreadable, empty, truncated, not an image,
            CMYK, animated or of several pages, floating point, transparent where alpha is refused, or too large
            (`bench.imaging.limit`, or for the memory that there is).
        ValueError: an unknown alpha policy.
    """
    pixels, bits = _read(path, alpha)
    with _named(Path(path)):
        pixels = np.ascontiguousarray(rounded_to_8bit(pixels))
    return LoadedImage(pixels, pixels.ndim == 2, bits)


def read_samples(path: Path | str, *, alpha: AlphaPolicy = "refuse") -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read one still image, upright, with the samples that it holds; arguments and errors as for `read_image`.

    Returns:
        (H, W), or (H, W, 3) RGB; uint16 for a file of 16 bits a sample, else uint8.
    """
    return np.ascontiguousarray(_read(path, alpha)[0])


def _read(path: Path | str, alpha: AlphaPolicy) -> tuple[NDArray[Any], int]:
    if alpha not in get_args(AlphaPolicy):
        raise ValueError(f"unknown alpha policy '{alpha}': expected refuse, white or black")
    path = Path(path)
    with _named(path):
        pixels, bits = _decode(_read_bytes(path))
        return _without_alpha(pixels, alpha), bits


def rounded_to_8bit(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """8-bit samples as they are, 16-bit samples v as round(v / 257)."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    out = np.empty(pixels.shape, np.uint8)
    step = max(_STRIP_VALUES * pixels.shape[0] // max(pixels.size, 1), 1)
    for start in range(0, pixels.shape[0], step):  # by rows: of a large image, four bytes a sample are a lot
        out[start : start + step] = (pixels[start : start + step].astype(np.uint32) + 128) // 257
    return out


def read_png_exact(path: Path | str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read a PNG as it was stored by `write_png`: uint8 or uint16, (H, W) or (H, W, 3) RGB.

    Raises:
        ImageError: missing, empty, truncated or damaged, or no opaque gray or RGB PNG of 8 or 16 bit.
    """
    path = Path(path)
    with _named(path):
        data = _read_bytes(path)
        header = inspect_png(data)
        require_size(*header.size)
        if header.alpha or header.palette or header.animated or header.bits not in (8, 16):
            raise ImageError(f"expected an opaque gray or RGB PNG of 8 or 16 bit, got {header}")
        return _opencv(data)


def write_png(
    path: Path | str, pixels: NDArray[np.uint8] | NDArray[np.uint16], *, compress: bool = True, durable: bool = False
) -> None:
    """Write a PNG atomically.

    Args:
        path: The file; its folder must exist.
        pixels: uint8 or uint16, (H, W) or (H, W, 3) RGB.
        compress: False stores the bytes as they are: about seven times faster, nearly twice as large.
        durable: Survive a power failure too, see `atomic_write`.
    Raises:
        ImageError: another shape or dtype.
        OSError: the folder is missing, read-only or full, or the memory is; no half file is left.
    """
    shape_ok = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype not in (np.uint8, np.uint16) or not shape_ok or 0 in pixels.shape:
        raise ImageError(f"write_png expects uint8 or uint16 (H, W) or (H, W, 3), got {pixels.dtype} {pixels.shape}")
    try:
        if pixels.shape[0] * pixels.shape[1] > _STREAMED_PIXELS:
            with atomic_write(path, "wb", durable=durable) as file:
                file.writelines(encoded_rows(pixels, compress=compress))
            return
        ordered = np.ascontiguousarray(pixels) if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        done, encoded = cv2.imencode(".png", ordered, [] if compress else _STORED)
    except (cv2.error, MemoryError) as fault:
        # said as the disk's refusals are, which whoever writes expects
        raise OSError(errno.ENOMEM, f"{os.strerror(errno.ENOMEM)}, to encode {pixels.shape}", str(path)) from fault
    if not done:
        raise ImageError(f"{path}: the PNG encoder refused {pixels.dtype} pixels of shape {pixels.shape}")
    with atomic_write(path, "wb", durable=durable) as file:
        file.write(encoded.data)


# OpenCV's own default (level 1, run lengths, SUB filter) is the fastest compressed setting; asking for level 1 in
# words switches to a slower strategy.
_STORED = [cv2.IMWRITE_PNG_COMPRESSION, 0]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _STORED += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """What cannot be read inside is this file."""
    try:
        yield
    except ImageError as fault:
        raise ImageError(f"{path}: {fault}") from fault.__cause__
    except MemoryError as fault:
        raise ImageError(f"{path}: too large for the memory that is free") from fault


def _read_bytes(path: Path) -> bytes:
    try:
        data = read_regular(path)
    except OSError as fault:
        raise ImageError(f"expected {_EXPECTED}, but it cannot be read: {fault.strerror or fault}") from fault
    if not data:
        raise ImageError(f"expected {_EXPECTED}, got a file of zero bytes")
    return data


def _decode(data: bytes) -> tuple[NDArray[Any], int]:
    """Pixels (uint8 or uint16; (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)) upright, and the bits of the file."""
    header = inspect_png(data) if data.startswith(SIGNATURE) else None
    if header is not None:
        if header.animated:
            raise ImageError(f"expected {_EXPECTED} with one frame, got an animated PNG")
        require_size(*header.size)
        if _opencv_reads_it_alike(header):
            return _opencv(data), header.bits
    try:
        with Image.open(io.BytesIO(data)) as image:
            require_size(image.height, image.width)
            _refuse_what_is_no_still_rgb(image)
            if header is not None and header.bits == 16:
                return _turned(_png_of_16_bit(data, header), image.getexif().get(_ORIENTATION, 1)), 16
            if image.format == "TIFF" and _tiff_of_16_bit(image):
                return _opencv_tiff(data, image), 16
            pixels = _pillow_pixels(image)
            # Asked for after decoding: Pillow turns a TIFF itself and then drops the tag.
            return _turned(pixels, image.getexif().get(_ORIENTATION, 1)), 8
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as fault:
        raise ImageError(
            f"expected an image that Pillow decodes, of up to {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, got a "
            "larger one; save it as an 8-bit PNG without palette or transparency, which is read up to 2^30 pixels"
        ) from fault
    except Image.UnidentifiedImageError as fault:
        raise ImageError(f"expected {_EXPECTED}, got {len(data)} bytes that are none of them") from fault
    except Exception as fault:  # Pillow's plugins raise whatever a damaged file provokes
        raise ImageError(f"expected {_EXPECTED}, got a truncated or damaged file ({fault})") from fault


def _opencv_reads_it_alike(header: PngHeader) -> bool:
    return header.bits == 8 and not (header.alpha or header.palette or header.oriented)


def _opencv(data: bytes) -> NDArray[Any]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as fault:
        raise ImageError(_opencv_fault(fault)) from fault
    if pixels is None:
        raise ImageError(f"expected {_EXPECTED}, got a damaged one that OpenCV cannot decode")
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        swap = cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        return cv2.cvtColor(pixels, swap)
    return pixels


def _opencv_fault(fault: cv2.error) -> str:
    """What OpenCV could not do, without its file names and line numbers."""
    if "allocate" in str(fault).lower() or getattr(fault, "code", 0) == _NO_MEMORY:
        return "too large for the memory that is free"
    return f"OpenCV refuses it ({getattr(fault, 'err', '') or 'no reason given'})"


def _refuse_what_is_no_still_rgb(image: Image.Image) -> None:
    if image.format not in _FORMATS:
        raise ImageError(f"expected {_EXPECTED}, got {image.format}")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG with previews behind the picture
        raise ImageError(f"expected one frame, got an animated or multi-page {image.format} of {frames}")
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        raise ImageError(f"expected gray or RGB, got a {image.mode} {image.format}; convert it to RGB first")
    if image.mode in ("F", "I"):
        raise ImageError(f"expected samples of 8 or 16 bit, got a {image.format} of mode {image.mode}")


def _png_of_16_bit(data: bytes, header: PngHeader) -> NDArray[Any]:
    pixels = _opencv(data)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if header.alpha and channels != 4:
        raise ImageError("expected an alpha channel, got a 16-bit PNG with one transparent colour; save it as RGBA")
    return pixels[:, :, [0, 3]] if header.alpha and header.gray else pixels


def _tiff_of_16_bit(image: Image.Image) -> bool:
    tags = image.tag_v2  # type: ignore[attr-defined]
    return 16 in tags.get(_BITS_PER_SAMPLE, (1,))


def _opencv_tiff(data: bytes, image: Image.Image) -> NDArray[Any]:
    """A 16-bit TIFF, which OpenCV turns upright itself; what it would decode wrongly is refused."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    if set(tags.get(_SAMPLE_FORMAT, (1,))) != {1} or set(tags[_BITS_PER_SAMPLE]) != {16}:
        raise ImageError("expected unsigned samples of 8 or 16 bit, got a signed, mixed or floating-point TIFF")
    if tags.get(_PLANAR, 1) != 1:
        raise ImageError(
            "expected interleaved samples, got a 16-bit TIFF with separate planes; save it as a 16-bit PNG"
        )
    pixels = _opencv(data)
    return 65535 - pixels if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else pixels


def _pillow_pixels(image: Image.Image) -> NDArray[np.uint8]:
    image.load()
    gray = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return np.asarray(image.convert("LA" if gray else "RGBA"))
    return np.asarray(image.convert("L" if gray else "RGB"))


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """The image upright, from EXIF's orientation 1..8 (anything else leaves it as it is)."""
    turns = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: p[::-1].swapaxes(0, 1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: p[:, ::-1].swapaxes(0, 1),
    }
    return turns.get(orientation, lambda p: p)(pixels)


def _without_alpha(pixels: NDArray[Any], policy: AlphaPolicy) -> NDArray[Any]:
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return pixels
    colour, alpha = pixels[:, :, :-1], pixels[:, :, -1:]
    full = np.iinfo(pixels.dtype).max
    if colour.shape[2] == 1:
        colour, alpha = colour[:, :, 0], alpha[:, :, 0]
    if np.all(alpha == full):
        return colour
    if policy == "refuse":
        share = float(np.mean(alpha < full))
        raise ImageError(
            f"expected an opaque image, got an alpha channel with {share:.1%} of the pixels not opaque; "
            "a protocol with alpha 'white' or 'black' composites it"
        )
    weight = alpha.astype(np.uint64)
    ground = full if policy == "white" else 0
    mixed = (colour * weight + ground * (full - weight) + full // 2) // full
    return mixed.astype(pixels.dtype)
