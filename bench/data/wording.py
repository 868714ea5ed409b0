"""Words for which files were read: "HR/*.png", "1 image not used: preview.png"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.api import counted
from bench.data.images import listing
from bench.imaging.io import SUFFIXES

_SHOWN = 3


def forms(folder: Path, names: Iterable[str], root: Path | None) -> str:
    """Names of files with "*" in them, behind their folder.

    Args:
        folder: Where the files lie.
        names: Equal ones are said once.
        root: What is left out of the folder's path; None: nothing.
    """
    where = folder if root is None or not folder.is_relative_to(root) else folder.relative_to(root)
    prefix = "" if where == Path() else f"{where.as_posix()}/"
    kinds = list(dict.fromkeys(names))
    shown = ", ".join(kinds[:_SHOWN]) + (", …" if len(kinds) > _SHOWN else "")
    return prefix + (shown if len(kinds) == 1 else f"{{{shown}}}")


def _first(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths[:_SHOWN]) + (", …" if len(paths) > _SHOWN else "")


def not_used(paths: Sequence[Path]) -> str:
    """The end of a sentence on files that are not used; empty where there are none."""
    if not paths:
        return ""
    images = "1 image" if len(paths) == 1 else f"{len(paths)} images"
    return f"; {images} not used: {_first(paths)}"


def of_other_formats(*folders: Path) -> tuple[str, ...]:
    """A sentence on files that are images of formats that are not read, for each folder that has some."""
    sentences = []
    for folder in dict.fromkeys(folders):
        paths = listing(folder).unreadable
        if paths:
            sentences.append(
                f"{folder}: {counted(len(paths), 'file')} not read: {_first(paths)}; images are {', '.join(SUFFIXES)} "
                "files, so convert them to PNG if they belong to the set"
            )
    return tuple(sentences)
