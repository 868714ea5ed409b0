"""Running an external program to its end, within a time, with all that it started; nothing of it may stay behind, even
where this process is killed meanwhile (`methods.command.guard`)."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from methods.command.guard import ended_with_us

_TAIL_LINES = 8
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes:
        fault: What went wrong, with what it said; empty where it ended with exit code 0.
        said: Its last lines, for a later error.
    """

    fault: str
    said: str


def run_program(arguments: list[str], folder: Path, timeout: float) -> Ended:
    """Run to the end, in the current folder, with nothing on its standard input; no shell is involved.

    Output goes to files: no grandchild that keeps a pipe open can hold us up, no talkative program fills the memory.

    Args:
        arguments: The program and its arguments.
        folder: Where its output is kept meanwhile.
        timeout: Seconds.
    """
    name = arguments[0]
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        try:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file, start_new_session=True
            )
        except OSError as fault:
            how = "give an executable that is on PATH, or its path, with --set command.run=..."
            return Ended(f"the program '{name}' cannot be started: {fault.strerror or fault}; {how}", "")
        code = None
        with ended_with_us(process.pid), contextlib.suppress(subprocess.TimeoutExpired):
            try:
                code = process.wait(timeout)
            finally:
                _stop(process)
    said = _tail(err, out)
    if code is None:
        how = f"did not end within {timeout:g} s and was stopped (--set command.timeout=SECONDS)"
    elif code < 0:
        how = f"was ended by signal {-code} ({signal.strsignal(-code)})"
    else:
        how = f"ended with exit code {code}" if code else ""
    return Ended(f"{name} {how}{said}" if how else "", said)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and whatever it started (on a timeout, on Ctrl-C, or left behind at its end)."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _tail(*files: Path) -> str:
    """The last lines of the first file that is not empty."""
    for file in files:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = [line.rstrip() for line in stream.read().decode(errors="replace").splitlines() if line.strip()]
        if lines:
            return "; it said: " + " | ".join(lines[-_TAIL_LINES:])
    return "; it said nothing"
