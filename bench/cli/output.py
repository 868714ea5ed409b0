"""Printing: errors on stderr, results on stdout, rich where there is a terminal and plain lines where there is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api import RequestError

if TYPE_CHECKING:
    from rich.console import Console


@lru_cache(maxsize=1)
def console() -> Console:
    """stdout; does not wrap or colour where it is not a terminal."""
    from rich.console import Console

    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False)


def say(text: str = "") -> None:
    """A line on stdout, as it is. Where nobody reads on (`bench run … | head`), the work goes on without a word.

    Raises:
        RequestError: stdout is a file that takes no more.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as fault:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the rest is tried again at the end
        raise RequestError(f"cannot write the output: {fault.strerror or fault}; finished work is kept") from None


def warn(text: str) -> None:
    """A line on stderr; where nobody reads it any more, the work goes on without a word."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    """An error on stderr."""
    prefix = "\x1b[31merror:\x1b[0m" if sys.stderr.isatty() else "error:"
    with suppress(OSError):
        print(f"{prefix} {text}", file=sys.stderr, flush=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is done inside writes this file.

    Raises:
        RequestError: the place cannot be written.
    """
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
