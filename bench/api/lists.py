"""Comma-separated lists, as they are typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.api.errors import RequestError

Names = str | Sequence[str]
"""Names as callers give them: one text with commas between them, or several."""


def names(text: str) -> tuple[str, ...]:
    """Split at commas; empty where nothing is named, which keeps everything.

    >>> names('Set5, "a, b"')
    ('Set5', 'a, b')
    """
    return tuple(unquoted(part) for part in split_unquoted(text, ",") if part.strip())


def as_names(value: Names) -> tuple[str, ...]:
    """The names of either form."""
    return names(value) if isinstance(value, str) else tuple(value)


def split_unquoted(text: str, mark: str) -> list[str]:
    """Split at a mark, but not where it stands between double quotes; quotes and spaces are kept.

    A quote without its partner is a letter like any other.

    >>> split_unquoted('"a,b"::c,d', ",")
    ['"a,b"::c', 'd']
    """
    parts, quoted, start, at = [], False, 0, 0
    paired = text.count('"') % 2 == 0
    while at < len(text):
        if paired and text[at] == '"':
            quoted = not quoted
        elif not quoted and text.startswith(mark, at):
            parts.append(text[start:at])
            at = start = at + len(mark)
            continue
        at += 1
    return [*parts, text[start:]]


def as_list(words: Iterable[str]) -> str:
    """Words as one list that `names` splits into the same.

    >>> as_list(["Set5", "a, b"])
    'Set5,"a, b"'
    """
    return ",".join(f'"{word}"' if "," in word and '"' not in word else word for word in words)


def unquoted(text: str) -> str:
    """A part of a list without the spaces around it, and without the quotes that enclose all of it.

    >>> unquoted(' "a, b" '), unquoted('5" disk')
    ('a, b', '5" disk')
    """
    bare = text.strip()
    whole = len(bare) > 1 and bare[0] == bare[-1] == '"' and '"' not in bare[1:-1]
    return bare[1:-1] if whole else bare


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
