"""An external program under the `Method` contract: LR as a PNG file, no shell, the SR file checked and read back."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import Method, MethodInfo, Size, UnitError, Upscaled, format_scale
from bench.imaging.io import write_png
from methods.command.info import COMMAND, CommandOptions
from methods.precomputed.files import read_sr

_TAIL_LINES = 8
_TAIL_BYTES = 8192


class Command(Method):
    """Runs the program once per image, in the current folder, with nothing on its standard input."""

    info: ClassVar[MethodInfo] = COMMAND.info
    Options = CommandOptions
    options: CommandOptions

    _scale: float | None = None

    def begin(self, *, image: str, scale: float) -> None:
        """Remember the nominal scale; without it {scale} is the ratio of the heights."""
        self._scale = scale

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """Write, run, read.

        Raises:
            UnitError: no such program, a non-zero exit, no output in time, no output file, or one of another size; with
                the last lines that the program wrote to stderr.
        """
        with tempfile.TemporaryDirectory(prefix="assr-bench-") as name:
            folder = Path(name)
            source, result = folder / "lr.png", folder / "sr.png"
            write_png(source, lr_pixels(lr.cpu().numpy(), self.options.bits))
            scale = self._scale if self._scale is not None else size[0] / lr.shape[1]
            values = {
                "input": str(source),
                "output": str(result),
                "scale": format_scale(scale),
                "width": str(size[1]),
                "height": str(size[0]),
                "seed": str(seed),
            }
            arguments = [argument.format(**values) for argument in shlex.split(self.options.run)]
            said = _run(arguments, folder, self.options.timeout)
            if not result.is_file():
                raise UnitError(f"{arguments[0]} ended without writing {{output}}{said}")
            pixels = read_sr(result, size)
        full = np.float32(np.iinfo(pixels.dtype).max)
        planes = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]
        return Upscaled(torch.from_numpy(planes.astype(np.float32) / full).expand(3, *size))


def lr_pixels(lr: NDArray[np.float32], bits: str) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The LR image as the file will hold it.

    Args:
        lr: (3, h, w) in [0, 1].
        bits: "8", "16", or "auto": 8 where nothing is lost by it, else 16 (an error of at most 1/131070).
    Returns:
        (h, w, 3), uint8 or uint16.
    """
    image = np.clip(lr.transpose(1, 2, 0).astype(np.float64), 0, 1)
    levels = image * 255
    if bits == "auto":
        bits = "8" if np.abs(levels - np.rint(levels)).max(initial=0) < 1e-3 else "16"
    if bits == "8":
        return np.floor(levels + 0.5).astype(np.uint8)
    return np.floor(image * 65535 + 0.5).astype(np.uint16)


def _run(arguments: list[str], folder: Path, timeout: float) -> str:
    """Run to the end; returns what it said, for a later error.

    Output goes to files: no grandchild that keeps a pipe open can hold us up, no talkative program fills the memory.
    """
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        try:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file, start_new_session=True
            )
        except OSError as fault:
            raise UnitError(
                f"the program '{arguments[0]}' cannot be started: {fault.strerror or fault}; give an executable "
                "that is on PATH, or its path, with --set command.run=..."
            ) from None
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise UnitError(
                f"{arguments[0]} did not end within {timeout:g} s and was stopped (--set command.timeout=SECONDS)"
                f"{_tail(err, out)}"
            ) from None
        finally:
            _stop(process)
    if code != 0:
        how = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
        raise UnitError(f"{arguments[0]} {how}{_tail(err, out)}")
    return _tail(err, out)


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
