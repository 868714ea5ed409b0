"""Comma-separated lists, as they are typed."""

from __future__ import annotations

from bench.api.errors import RequestError


def names(text: str) -> tuple[str, ...]:
    """Split at commas; empty where nothing is named, which keeps everything."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def split_list(text: str, what: str) -> tuple[str, ...]:
    """Split at commas, drop repetitions.

    Raises:
        RequestError: nothing is left.
    """
    parts = tuple(dict.fromkeys(names(text)))
    if not parts:
        raise RequestError(f"no {what} given; give one or more separated by commas")
    return parts
