"""Words of messages that depend on a number."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    Args:
        number: How many.
        noun: Of one.
        plural: Of several; empty: the noun with an s.

    >>> counted(1, "image"), counted(2, "image"), counted(0, "cell"), counted(2, "entry", "entries")
    ('1 image', '2 images', '0 cells', '2 entries')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
