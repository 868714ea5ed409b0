"""Printing: errors on stderr, results on stdout, rich where there is a terminal and plain lines where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api import RequestError

if TYPE_CHECKING:
    from rich.console import Console

_FILES_OF_A_RUN = ("run.json", "records.csv", "summary.csv", "ablation.json")
_FOLDERS_OF_A_RUN = ("records", "images", "degradations")


def console(*, stderr: bool = False) -> Console:
    """stdout or stderr as rich knows it: its width, and whether NO_COLOR, FORCE_COLOR or TERM want colours."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def say(text: str = "") -> None:
    """A line on stdout, as it is."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A line on stderr; where nobody reads it any more, the work goes on without a word."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    """An error on stderr."""
    from rich.text import Text

    console(stderr=True).print(Text.assemble(("error:", "red"), " ", text))


def require_no_part_of_a_run(path: Path) -> None:
    """Refuse to write over the files by which a run folder is read.

    Raises:
        RequestError: such a file is there.
    """
    place = path.resolve()
    for folder in place.parents:
        first, *deeper = place.relative_to(folder).parts
        part = first in (_FOLDERS_OF_A_RUN if deeper else _FILES_OF_A_RUN)
        if part and (folder / "run.json").is_file() and place.exists():
            raise RequestError(f"{path} is a file of the run in {folder}, which needs it; give another place")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is done inside writes this file.

    Raises:
        RequestError: the place cannot be written, or holds what a run lives from.
    """
    require_no_part_of_a_run(path)
    try:
        yield
    except OSError as fault:
        raise RequestError(f"--out {path} cannot be written: {fault.strerror or fault}") from None


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all.

    Raises:
        RequestError: the place cannot be written.
    """
    from bench.imaging.atomic import atomic_write

    with writing(path), atomic_write(path) as file:
        file.write(text)
