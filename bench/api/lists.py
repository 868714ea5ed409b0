"""Comma-separated lists, as they are typed."""

from __future__ import annotations

from collections.abc import Iterable

from bench.api.errors import RequestError


def names(text: str) -> tuple[str, ...]:
    """Split at commas; empty where nothing is named, which keeps everything."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def renamed(items: Iterable[str]) -> dict[str, str]:
    """Old name of a row -> new one, from OLD=NEW items.

    Raises:
        RequestError: another form, or one row twice.
    """
    found: dict[str, str] = {}
    for item in items:
        old, equals, new = item.partition("=")
        if not equals or not old.strip() or not new.strip():
            raise RequestError(f'--rename {item}: expected OLD=NEW, such as --rename "LIIF (lite)=Ours"')
        if old.strip() in found:
            raise RequestError(f"--rename names '{old.strip()}' twice; leave one out")
        found[old.strip()] = new.strip()
    return found
