"""Folders below one, found by name or by a pattern, each listed at most once."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from bench.data.images import Listing, listing
from bench.data.templates import Match, match


class Tree:
    """Folders below one, each listed at most once."""

    def __init__(self, root: Path) -> None:
        """Args: root: Nothing is listed yet."""
        self.root = root
        self._listed: dict[Path, Listing] = {}

    def at(self, folder: Path) -> Listing:
        """The content of a folder.

        Raises:
            RequestError: it cannot be listed.
        """
        if folder not in self._listed:
            self._listed[folder] = listing(folder)
        return self._listed[folder]

    def find(self, pattern: str) -> list[tuple[Match, Path]]:
        """The folders with images whose path below the root fits a pattern such as `LR_{track}/X{scale}`."""
        found = [(Match(), self.root)]
        for part in pattern.split("/") if pattern != "." else ():
            found = [
                (_merged(above, read), inner)
                for above, folder in found
                for inner, read in _named(part, self.at(folder).folders)
            ]
        return [(read, folder) for read, folder in found if self.at(folder).images]


def _named(part: str, folders: Iterable[Path]) -> list[tuple[Path, Match]]:
    """The folders whose names fit one part of a pattern; one that is spelled exactly so is the only one."""
    fitting = [(path, read) for path in folders if (read := match(part, path.name)) is not None]
    return [pair for pair in fitting if pair[0].name == part] or fitting


def child(folder: Path, name: str) -> Path | None:
    """A subfolder by name, the exact spelling first, then in any case and any form of Unicode.

    Args:
        folder: Where it lies.
        name: It may have several parts ("images/test").
    """
    found: Path | None = folder
    for part in Path(name).parts:
        exact = found / part
        if not exact.is_dir():
            inner = (path for path in listing(found).folders if alike(path.name) == alike(part))
            exact = next(inner, None)
        if exact is None:
            return None
        found = exact
    return found


def alike(name: str) -> str:
    """A name for comparison in any case and any form of Unicode."""
    return unicodedata.normalize("NFC", name).casefold()


def _merged(above: Match, read: Match) -> Match:
    scale = read.scale if read.scale is not None else above.scale
    return Match(read.image or above.image, read.set or above.set, read.track or above.track, scale)
