"""Tracebacks of failed units, for the author of a method: `errors/` holds them under the names that `images/` has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bench.imaging.atomic import atomic_write

FOLDER = "errors"


def traceback_path(image: Path) -> Path:
    """Where the traceback of a unit goes, relative to the run folder.

    Args:
        image: Where its SR image goes, `images/<method>/<dataset>/<cell>/<image>.png`.
    Returns:
        `errors/<method>/<dataset>/<cell>/<image>.txt`.
    """
    inside = (part for part in image.parts[1:] if part != "..")  # a stored path is data: it must not lead outside
    return Path(FOLDER, *inside).with_suffix(".txt")


def renew_traceback(out: Path, image: Path, text: str, note: Callable[[str], None]) -> Path | None:
    """Where the traceback of a unit lies now, relative to the run folder; an older one is gone.

    Args:
        out: The run folder.
        image: Where its SR image goes.
        text: The traceback; empty: None is kept.
        note: Told where the disk refuses.
    """
    path = traceback_path(image)
    if not text:
        forget_traceback(out, path)
        return None
    try:
        keep_traceback(out, path, text)
    except OSError as fault:
        note(f"{path}: the traceback could not be written: {fault.strerror or fault}")
        return None
    return path


def keep_traceback(out: Path, relative: Path, text: str) -> None:
    """Write one, in place of an older one.

    Raises:
        OSError: the place cannot be written.
    """
    path = out / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path, durable=False) as file:
        file.write(text)


def forget_traceback(out: Path, relative: Path) -> None:
    """Remove one that is no longer true, and the folders that it leaves empty."""
    with suppress(OSError):
        (out / relative).unlink()
        for folder in relative.parents[:-1]:
            (out / folder).rmdir()
