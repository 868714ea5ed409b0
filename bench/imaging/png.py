"""What a PNG says of itself before any pixel is decoded: size, type, and whether all of it is there.

Source: the PNG specification (W3C, third edition): signature, IHDR, chunk layout and CRC; acTL marks an animation.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from bench.imaging.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6


@dataclass(frozen=True)
class PngHeader:
    """The facts that choose a decoder.

    Attributes:
        size: (height, width).
        bits: Bits per sample (of the palette index, for a palette image).
        gray: The colour type has no colour.
        alpha: There is an alpha channel or a transparent colour.
        palette: The pixels are indices.
        animated: It is an APNG with more than its still image.
        oriented: It carries EXIF data, which may turn the image.
    """

    size: tuple[int, int]
    bits: int
    gray: bool
    alpha: bool
    palette: bool
    animated: bool
    oriented: bool


def inspect_png(data: bytes) -> PngHeader:
    """Walk the chunks and check every CRC.

    Args:
        data: The whole file.
    Raises:
        ImageError: no PNG, cut off, or damaged; says where.
    """
    if not data.startswith(SIGNATURE):
        raise ImageError("expected a PNG signature")
    view, position, kinds = memoryview(data), len(SIGNATURE), dict[bytes, int]()
    while b"IEND" not in kinds:
        if position + 12 > len(data):
            raise ImageError(f"truncated: the PNG ends at byte {len(data)} without its end mark")
        (length,), kind = struct.unpack_from(">I", data, position), bytes(view[position + 4 : position + 8])
        end = position + 12 + length
        if end > len(data):
            raise ImageError(f"truncated: chunk {kind!r} ends at byte {end}, the file at {len(data)}")
        if zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise ImageError(f"damaged: the checksum of chunk {kind!r} at byte {position} is wrong")
        kinds.setdefault(kind, position + 8)
        position = end
    if b"IHDR" not in kinds or b"IDAT" not in kinds:
        raise ImageError("damaged: the PNG has no header or no pixels")
    width, height, bits, colour = struct.unpack_from(">IIBB", data, kinds[b"IHDR"])
    return PngHeader(
        size=(height, width),
        bits=bits,
        gray=colour in (_GRAY, _GRAY_ALPHA),
        alpha=colour in (_GRAY_ALPHA, _RGB_ALPHA) or b"tRNS" in kinds,
        palette=colour == _PALETTE,
        animated=b"acTL" in kinds and struct.unpack_from(">I", data, kinds[b"acTL"])[0] > 1,
        oriented=b"eXIf" in kinds,
    )
