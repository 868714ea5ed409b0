"""What lies under a weights file's name by its first bytes, so that a failed download is called what it is."""

from __future__ import annotations

import re
from pathlib import Path

_HEAD = 512
"""Bytes; a Git LFS pointer is shorter."""
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|\?xml)", re.IGNORECASE)


def why_no_weights(path: Path) -> str:
    """Reason that a file cannot hold weights whatever reads it, as it follows behind the file's name; "" where it may.

    Args:
        path: A file that is there.
    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "is damaged: it is empty; get it again"
    if head.startswith(_POINTER):
        named = re.search(rb"oid sha256:([0-9a-f]{64})", head)
        known = f" (sha256 {named[1][:12].decode()}…)" if named else ""
        return f"is a Git LFS pointer, not the file that it points to{known}; run 'git lfs pull' or download the file"
    if _PAGE.match(head):
        return "is a web page saved under that name, as a download that asks to log in leaves it; get the file itself"
    return ""
