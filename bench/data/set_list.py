"""What stands behind `--datasets`: names, folders and `HR::LR` pairs between commas, any of which a path may hold too.

A path that is there wins over every other reading of it. Double quotes keep commas and `::` together where two
readings are there.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from unicodedata import normalize

from bench.api import RequestError, user_path
from bench.api.lists import split_unquoted, unquoted
from bench.data.images import listing


def split_sets(text: str, known: Collection[str]) -> tuple[str, ...]:
    """The sets of a list, in order.

    Args:
        text: As typed.
        known: Registered names.
    Raises:
        RequestError: a folder with a comma in its name is there, and so are the sets between its commas.
    """
    parts = split_unquoted(text, ",")
    found: list[str] = []
    at = 0
    while at < len(parts):
        end = next((end for end in range(len(parts), at + 1, -1) if _is_there(",".join(parts[at:end]))), at + 1)
        word = ",".join(parts[at:end])
        pieces = parts[at:end]
        names = {name.lower() for name in known}
        if end > at + 1 and all(piece.strip().lower() in names or _is_there(piece) for piece in pieces):
            raise RequestError(
                f"'{word}' could be one folder, or the {len(pieces)} sets {' and '.join(map(repr, pieces))}: all are "
                f"there; write '\"{word}\"' with double quotes for the folder, or each set with a --datasets of its own"
            )
        if word.strip():
            found.append(word if is_folder(user_path(word)) else word.strip())
        at = end
    return tuple(found)


def two_sides(text: str) -> tuple[str, str] | None:
    """The (HR, LR) folders of `HR::LR`, either may be empty; None where there is no `::` outside of quotes.

    Raises:
        RequestError: paths with `::` in them, so that two pairs of folders are there.
    """
    parts = split_unquoted(text, "::")
    if len(parts) == 1:
        return None
    splits = [("::".join(parts[:cut]), "::".join(parts[cut:])) for cut in range(1, len(parts))]
    there = [(hr, lr) for hr, lr in splits if (not hr.strip() or _folder(hr)) and _folder(lr)]
    if len(there) > 1:
        listed = " or ".join(f"HR {hr or '(none)'} with LR {lr}" for hr, lr in there)
        raise RequestError(f"'{text}' could be {listed}: put the path that holds '::' between double quotes")
    return next(iter((*there, *(split for split in splits if _folder(split[0])), *splits)))


def folder_of(text: str) -> Path:
    """The folder that a text names, spelled as it is on disk where that is there.

    Raises:
        RequestError: "~name" of nobody.
    """
    return _folder(text) or user_path(unquoted(text))


def is_folder(path: Path) -> bool:
    """Whether a folder is there and may be seen; a name that no file system takes is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _is_there(word: str) -> bool:
    if _folder(word):
        return True
    sides = split_unquoted(word, "::")
    return len(sides) == 2 and bool(_folder(sides[1])) and (not sides[0].strip() or bool(_folder(sides[0])))


def _folder(text: str) -> Path | None:
    """The folder of exactly this name, else without spaces around it or quotes, else in another form of Unicode."""
    if not text.strip():
        return None
    for spelled in dict.fromkeys((text, text.strip(), unquoted(text))):
        path = user_path(spelled)
        if is_folder(path):
            return path
    return _in_another_form(user_path(unquoted(text)))


def _in_another_form(path: Path) -> Path | None:
    """The folder whose name differs only in Unicode's composed or decomposed form."""
    if str(path).isascii():
        return None
    found = Path(path.anchor) if path.anchor else Path()
    for part in path.parts[1:] if path.anchor else path.parts:
        exact: Path | None = found / part
        if not is_folder(found / part):
            wanted = normalize("NFC", part)
            try:
                folders = listing(found).folders
            except RequestError:
                return None
            exact = next((inner for inner in folders if normalize("NFC", inner.name) == wanted), None)
        if exact is None:
            return None
        found = exact
    return found
