"""What names an image reference in a key: the bytes of its file and the crop, without decoding."""

from __future__ import annotations

import hashlib

from bench.api import ImageRef
from bench.imaging.hashing import file_sha256


def fingerprint(ref: ImageRef) -> str:
    """A SHA-256 that changes when the file's bytes or the crop change.

    Args:
        ref: The reference; the file is read in blocks, once as long as its stamp stays.
    Returns:
        64 hex digits.
    Raises:
        OSError: the file cannot be read.
    """
    digest = file_sha256(ref.path)
    if ref.centre_crop is None:
        return digest
    height, width = ref.centre_crop
    return hashlib.sha256(f"{digest};centre-crop:{height}x{width}".encode()).hexdigest()
