"""Comma-separated lists, as they are typed."""

from __future__ import annotations


def names(text: str) -> tuple[str, ...]:
    """Split at commas; empty where nothing is named, which keeps everything."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
