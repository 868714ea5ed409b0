"""stdout and stderr as a command can rely on them: always there, of any encoding, and without a reader if need be."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from bench.api import RequestError

_FALLBACK = "assr-bench"
_ERRORS_OF_PYTHON = (None, "strict", "surrogateescape", "backslashreplace")
"""Those of streams that nobody chose others for."""
_ASCII = str.maketrans(
    {"×": "x", "±": "~", "↑": "^", "↓": "v", "→": ">", "·": "-", "…": ".", "–": "-", "—": "-", "−": "-", "∞": "inf"}
    | {"─": "-", "━": "-", "│": "|", "“": '"', "”": '"', "’": "'"}
)
"""One character for one, so that columns stay aligned, but for infinity."""


@contextmanager
def dependable_streams() -> Iterator[None]:
    """What is printed inside reaches whoever reads, and ends the program only where a file takes no more.

    A closed stream is opened on nothing; a reader who leaves (`| head`) is not told of; what an encoding cannot say is
    written in ASCII.
    """
    before = sys.stdout, sys.stderr
    codecs.register_error(_FALLBACK, _in_ascii)
    sys.stdout, sys.stderr = _dependable(sys.stdout, 1), _dependable(sys.stderr, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


class _Patient(io.RawIOBase):
    """A file descriptor that goes on taking text when nobody reads it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._deaf = False

    def fileno(self) -> int:
        """Its number, as child processes inherit it."""
        return self._number

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Whether a terminal shows it."""
        return os.isatty(self._number)

    def write(self, text: object, /) -> int:
        """Write a part of it, or drop it where nobody reads.

        Raises:
            RequestError: a file that takes no more; said once.
        """
        data = memoryview(text)  # type: ignore[arg-type]
        if self._deaf:
            return len(data)
        try:
            return os.write(self._number, data)
        except BrokenPipeError:
            self._deaf = True
            return len(data)
        except OSError as fault:
            self._deaf = True
            raise RequestError(f"cannot write the output: {fault.strerror or fault}; finished work is kept") from None


def _dependable(stream: TextIO | None, number: int) -> TextIO:
    try:
        os.fstat(number)
    except OSError:
        # or the next file that is opened takes this number, and what is printed stands in it
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        if null != number:
            os.close(null)
    if stream is not None and not _is_descriptor(stream, number):
        return stream  # somebody collects it
    if stream is not None:
        stream.flush()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None)
    return io.TextIOWrapper(
        io.BufferedWriter(_Patient(number)),
        encoding=encoding,
        errors=_FALLBACK if errors in _ERRORS_OF_PYTHON else errors,
        line_buffering=True,
    )


def _is_descriptor(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except (OSError, ValueError):
        return False


def _in_ascii(fault: UnicodeError) -> tuple[str, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    text = fault.object[fault.start : fault.end].translate(_ASCII)
    return text.encode("ascii", "backslashreplace").decode("ascii"), fault.end
