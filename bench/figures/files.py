"""How a figure is written: which files it may be, and the same bytes every time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.api import RequestError
from bench.imaging.atomic import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf", ".svg")
"""What a figure may be written as."""


def targets(path: Path) -> tuple[Path, ...]:
    """The files that a figure is written to: `a.pdf+png` stands for a.pdf and a.png."""
    return tuple(path.with_suffix(f".{kind}") for kind in path.suffix[1:].split("+")) if path.suffix else (path,)


def check_target(path: Path) -> None:
    """Refuse a place that a figure cannot be written to, before anything is computed.

    Raises:
        RequestError: another suffix, no such folder, or a folder of that name.
    """
    if any(f".{kind}" not in SUFFIXES for kind in path.suffix[1:].lower().split("+")):
        raise RequestError(f"--out {path}: a figure is written as {', '.join(SUFFIXES)}, or .pdf+png for both")
    if not path.parent.is_dir():
        raise RequestError(f"--out {path}: folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise RequestError(f"--out {path} is a folder; give a file name")
    for place in targets(path):
        if place.is_dir():
            raise RequestError(f"--out {place} is a folder; give a file name")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, each file whole or not at all; 300 dots per inch as PNG, and the same bytes every time.

    Raises:
        RequestError: see `check_target`.
        OSError: the place cannot be written.
    """
    from bench.figures.page import page_style

    check_target(path)
    undated = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    for place in targets(path):
        kind = place.suffix.lower()[1:]
        with page_style(), atomic_write(place, "wb") as file:
            figure.savefig(file, format=kind, dpi=300, metadata=undated[kind])
