"""An exception of a method as a failed unit: what was raised, and where in the method's own code."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.api import BenchError, MethodSpec, UnitError
from bench.api.errors import without_advice

_LONGEST = 400
"""Characters of a message that a record and a line on the terminal keep; the traceback has all of them."""


@contextmanager
def attributed(spec: MethodSpec) -> Iterator[None]:
    """Run a method's code inside; whatever it raises becomes a failed unit that says where.

    Ctrl-C passes. A method that ends the process or raises something that is no `Exception` has failed like any other.

    Raises:
        UnitError: with the traceback in `details`; an error that was raised on purpose keeps its own words.
    """
    try:
        with same_folder():
            yield
    except (KeyboardInterrupt, UnitError):
        raise
    except BenchError as fault:
        raise UnitError(str(fault)) from fault
    except BaseException as fault:
        raise UnitError(f"{spec.info.name} raised {describe(fault, spec)}", details=full_text(fault)) from fault


@contextmanager
def same_folder() -> Iterator[None]:
    """Run foreign code inside that may change the current folder, against which relative paths of a run are read."""
    try:
        before = Path.cwd()
    except OSError:  # somebody has removed it
        before = None
    try:
        yield
    finally:
        with suppress(OSError):
            if before is not None and Path.cwd() != before:
                os.chdir(before)


@contextmanager
def of_one_image(image: str) -> Iterator[None]:
    """Run the harness's own work on an image inside; whatever goes wrong there costs this image and no other.

    Errors that were raised on purpose pass, and so does Ctrl-C.

    Args:
        image: Its id, for messages.
    Raises:
        UnitError: with the traceback in `details`.
    """
    try:
        yield
    except BenchError:
        raise
    except MemoryError as fault:
        how = "use fewer --workers, or run it on a machine with more"
        raise UnitError(f"{image}: not enough memory to read, make or check this image; {how}") from fault
    except Exception as fault:
        said = " ".join(str(fault).split())[:_LONGEST]
        raise UnitError(f"{image}: {type(fault).__name__}: {said}", details=full_text(fault)) from fault


def describe(fault: BaseException, spec: MethodSpec) -> str:
    """The exception on one line: `ValueError: no such layer (up.py:14 in upscale)`."""
    try:
        said = without_advice(" ".join(str(fault).split()))
    except Exception:
        said = "its message cannot be read"
    if len(said) > _LONGEST:
        said = f"{said[:_LONGEST]} …"
    text = f"{type(fault).__name__}: {said}" if said else type(fault).__name__
    place = own_place(fault, spec)
    return f"{text} ({place})" if place else text


def own_place(fault: BaseException, spec: MethodSpec) -> str:
    """`file:line in function` of the innermost frame that lies in the method's own sources; else of the innermost one.

    A fault inside a library is so told by the line of the method that called it.
    """
    root = spec.root.resolve()
    frames = [frame for frame in traceback.extract_tb(fault.__traceback__) if not frame.filename.startswith("<")]
    for frame in reversed(frames):
        path = Path(frame.filename).resolve()
        if path == root or root in path.parents:
            short = path.name if path == root else path.relative_to(root.parent).as_posix()
            return f"{short}:{frame.lineno} in {frame.name}"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""


def full_text(fault: BaseException) -> str:
    """The whole traceback, as Python prints it."""
    return "".join(traceback.format_exception(fault))
