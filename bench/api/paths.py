"""Names of methods, sets and images as parts of paths that browsers, archives and other systems take."""

from __future__ import annotations

import hashlib
import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """A name as part of a path and of an address: no sign that a browser reads as something else, and still its own.

    >>> safe_name("Set5"), safe_name("LIIF (lite)")
    ('Set5', 'LIIF_lite_-7d947c')
    """
    plain = _UNSAFE.sub("_", name).lstrip(".")
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
