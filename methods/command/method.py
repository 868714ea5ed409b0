"""An external program under the `Method` contract: LR as a PNG file, no shell, the SR file checked and read back."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import ComingUnit, Method, MethodInfo, Scale, Size, UnitError, Upscaled, format_scale
from bench.imaging.io import write_png
from methods.command.batch import Batch
from methods.command.guard import make_folder, remove_folder
from methods.command.info import COMMAND, CommandOptions
from methods.command.lr_file import lr_pixels
from methods.command.program import run_program
from methods.precomputed.files import read_sr


class Command(Method):
    """Runs the program once per image, or once for the images of a dataset at a scale where it takes a folder."""

    info: ClassVar[MethodInfo] = COMMAND.info
    Options = CommandOptions
    options: CommandOptions

    _image: str = "image"
    _scale: Scale | None = None
    _batch: Batch | None = None

    def prepare(self, units: Iterable[ComingUnit], *, scale: Scale, seed: int) -> None:
        """Run a program that takes a folder on all images to come; what it does not write fails in its turn."""
        if self.options.takes_folder:
            self._batch = None  # the files of the one before go away
            self._batch = Batch(self.options, units, scale=scale, seed=seed)

    def begin(self, *, image: str, scale: Scale) -> None:
        """Remember the image, and the nominal scale; without it {scale} is the ratio of the heights."""
        self._image, self._scale = image, scale

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """Write, run, read; or read what the program made of the folder.

        Raises:
            UnitError: no such program, a non-zero exit, no output in time, no output file, or one of another size; with
                the last lines that the program wrote to stderr.
        """
        scale = self._scale if self._scale is not None else size[0] / lr.shape[1]
        if not self.options.takes_folder:
            pixels = self._one(lr, size, scale, seed)
        else:
            batch, unit = self._batch, ComingUnit(self._image, lr, size, seed)
            if batch is None or not batch.holds(unit, scale):
                batch = Batch(self.options, [unit], scale=scale, seed=seed)
            pixels = batch.read(unit, slack=self.slack)
        full = np.float32(np.iinfo(pixels.dtype).max)
        planes = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]
        return Upscaled(torch.from_numpy(planes.astype(np.float32) / full).expand(3, *pixels.shape[:2]))

    def _one(self, lr: torch.Tensor, size: Size, scale: Scale, seed: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
        with _folder() as folder:
            source, result = folder / "lr.png", folder / "sr.png"
            write_png(source, lr_pixels(lr.cpu().numpy(), self.options.bits))
            values = {
                "input": str(source),
                "output": str(result),
                "scale": format_scale(scale),
                "width": str(size[1]),
                "height": str(size[0]),
                "seed": str(seed),
            }
            arguments = [argument.format(**values) for argument in shlex.split(self.options.run)]
            ended = run_program(arguments, folder, self.options.timeout)
            if ended.fault:
                raise UnitError(ended.fault)
            if not result.is_file():
                raise UnitError(f"{arguments[0]} ended without writing {{output}}{ended.said}")
            return read_sr(result, size, slack=self.slack)


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder, which goes away with the block or with this process."""
    folder = make_folder()
    try:
        yield folder
    finally:
        remove_folder(folder)
