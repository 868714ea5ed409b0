"""Comma-separated lists, as they are typed."""

from __future__ import annotations

from collections.abc import Iterable

from bench.api.errors import RequestError


def names(text: str) -> tuple[str, ...]:
    """Split at commas; empty where nothing is named, which keeps everything."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def pairs(option: str, items: Iterable[str], *, form: str, example: str) -> dict[str, str]:
    """What is behind the "=" of each item by what is before it.

    Args:
        option: What the items were typed after, such as "--rename".
        items: Each of `form`.
        form: Such as "OLD=NEW".
        example: A whole item.
    Raises:
        RequestError: another form, or one name twice.
    """
    found: dict[str, str] = {}
    for item in items:
        old, equals, new = item.partition("=")
        if not equals or not old.strip() or not new.strip():
            raise RequestError(f"{option} {item}: expected {form}, such as {option} {example}")
        if old.strip() in found:
            raise RequestError(f"{option} names '{old.strip()}' twice; leave one out")
        found[old.strip()] = new.strip()
    return found


def renamed(items: Iterable[str]) -> dict[str, str]:
    """Old name of a row -> new one, from OLD=NEW items.

    Raises:
        RequestError: another form, or one row twice.
    """
    return pairs("--rename", items, form="OLD=NEW", example='"LIIF (lite)=Ours"')
