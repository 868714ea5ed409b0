"""Paths: what a person types with a `~`, and names as parts of paths that browsers, archives and other systems take."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from bench.api.errors import RequestError

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def user_path(text: str | Path) -> Path:
    """A path as it is typed, with the home folder in place of `~`.

    Raises:
        RequestError: there is no such user, or none of this name has a home folder.

    >>> user_path("a/~b")
    PosixPath('a/~b')
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        user = Path(text).parts[0]
        who = f"no user '{user[1:]}' is known here" if len(user) > 1 else "this user has no home folder"
        raise RequestError(f"{text}: {who}; write the path out, or ./{text} for a folder of that name") from None


def private_folder(name: str) -> Path:
    """A folder of this user below the system's for temporary files, where there is no home folder to keep things in."""
    return Path(tempfile.gettempdir()) / f"{name}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def safe_name(name: str) -> str:
    """A name as part of a path and of an address: no sign that a browser reads as something else, and still its own.

    >>> safe_name("Set5"), safe_name("LIIF (lite)")
    ('Set5', 'LIIF_lite_-7d947c')
    """
    plain = _UNSAFE.sub("_", name).lstrip(".")
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
