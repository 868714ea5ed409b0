"""A PNG made row by row, for images that are not to lie in memory a second time.

Source: the PNG specification (W3C, third edition). As OpenCV's default: the SUB filter, level 1, run lengths.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.imaging.png import SIGNATURE

_STRIP_BYTES = 1 << 20
_GRAY, _RGB = 0, 2
_NO_FILTER, _SUB = 0, 1


def encoded_rows(pixels: NDArray[np.uint8] | NDArray[np.uint16], *, compress: bool = True) -> Iterator[bytes]:
    """The bytes of a PNG, piece by piece; beside the image, memory for a megabyte of rows is needed.

    Args:
        pixels: uint8 or uint16, (H, W) or (H, W, 3) RGB, not empty.
        compress: False stores the rows as they are.
    Yields:
        What is to be written one after the other.
    """
    height, width = pixels.shape[:2]
    bits, colour = pixels.dtype.itemsize * 8, _GRAY if pixels.ndim == 2 else _RGB
    yield SIGNATURE
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    deflate = zlib.compressobj(1 if compress else 0, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    step = max(_STRIP_BYTES // (pixels.size // height * pixels.dtype.itemsize), 1)
    for start in range(0, height, step):
        packed = deflate.compress(_filtered(pixels[start : start + step], sub=compress).data)
        if packed:
            yield _chunk(b"IDAT", packed)
    yield _chunk(b"IDAT", deflate.flush())
    yield _chunk(b"IEND", b"")


def _filtered(strip: NDArray[np.uint8] | NDArray[np.uint16], *, sub: bool) -> NDArray[np.uint8]:
    """Rows of samples with the filter's number before each, (rows, 1 + bytes of a row)."""
    rows = strip.shape[0]
    samples = np.ascontiguousarray(strip, dtype=strip.dtype.newbyteorder(">")).view(np.uint8).reshape(rows, -1)
    out = np.empty((rows, 1 + samples.shape[1]), np.uint8)
    out[:, 0] = _SUB if sub else _NO_FILTER
    if not sub:
        out[:, 1:] = samples
        return out
    pixel = strip.dtype.itemsize * (strip.shape[2] if strip.ndim == 3 else 1)
    out[:, 1 : 1 + pixel] = samples[:, :pixel]
    # each byte less the byte of the pixel to its left, modulo 256
    np.subtract(samples[:, pixel:], samples[:, :-pixel], out=out[:, 1 + pixel :])
    return out


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
