"""One run of a program that takes a folder: the LR files it is given, and the SR file that it wrote for each."""

from __future__ import annotations

import shlex
import weakref
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.api import ComingUnit, Scale, ScalePair, Size, UnitError, factors, format_scale
from bench.imaging.io import write_png
from methods.command.guard import make_folder, remove_folder
from methods.command.info import CommandOptions
from methods.command.lr_file import lr_pixels
from methods.command.program import Ended, run_program
from methods.precomputed.files import locate, read_sr


class Batch:
    """The images that one run of the program was given.

    The files lie in a temporary folder that goes away with this object.
    """

    def __init__(self, options: CommandOptions, units: Iterable[ComingUnit], *, scale: Scale, seed: int) -> None:
        """Write the LR files and run the program, once; without images it is not run.

        Args:
            options: The command line and how its results are called.
            units: The images.
            scale: Nominal scale.
            seed: What {seed} says.
        """
        self._options = options
        self._scale = scale
        self._root = make_folder()
        self._gone = weakref.finalize(self, remove_folder, self._root)
        self._names: dict[str, tuple[str, Size, int]] = {}
        self._arguments: list[str] = []
        try:
            self._ended = self._run(units, seed)
        except BaseException:
            self._gone()
            raise

    def holds(self, unit: ComingUnit, scale: Scale) -> bool:
        """Whether this very image was handed over."""
        _, size, seed = self._names.get(unit.image, ("", None, None))
        return scale == self._scale and (size, seed) == (unit.size, unit.seed)

    def read(self, unit: ComingUnit, *, slack: int = 0) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The SR image of a unit that it holds.

        Args:
            unit: Which one.
            slack: Pixels by which a side may be off.
        Raises:
            UnitError: the program wrote no file for it, or one of another size; with how the program ended.
        """
        name, size, _ = self._names[unit.image]
        try:
            path = self._find(name)
            return read_sr(path, size, slack=slack)
        except UnitError as fault:
            how = f"; {self._ended.fault}" if self._ended.fault else f"; {self._arguments[0]} ended well"
            said = "" if self._ended.fault else self._ended.said
            raise UnitError(f"{fault}{how}{said}") from None

    def _find(self, name: str) -> Path:
        scale, folder = format_scale(self._scale), self._root / "output"
        pattern = self._options.result
        if not pattern:
            try:
                return locate(folder, name, scale)
            except UnitError:
                inside = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
                raise UnitError(
                    f"no file in {{output_dir}} is clearly that of '{name}.png' at x{scale}: it holds "
                    f"{', '.join(inside[:4]) or 'nothing'}; name it with --set command.result=..., such as "
                    "{image}_x{scale}.png"
                ) from None
        path = folder / pattern.format(image=name, scale=scale, float_scale=self._float_scale())
        if not path.is_file():
            raise UnitError(f"no file {path.relative_to(folder)} in {{output_dir}} (command.result={pattern})")
        return path

    def _float_scale(self) -> float | str:
        """What {float_scale} stands for: 4.0, or the text 1.5x2.0."""
        return self._scale if not isinstance(self._scale, ScalePair) else "x".join(map(str, factors(self._scale)))

    def _run(self, units: Iterable[ComingUnit], seed: int) -> Ended:
        source, target = self._root / "input", self._root / "output"
        source.mkdir()
        target.mkdir()
        taken: set[str] = set()
        for unit in units:
            name = unit.image.replace("/", "_")
            while name in taken:
                name += "_"
            taken.add(name)
            write_png(source / f"{name}.png", lr_pixels(unit.lr.cpu().numpy(), self._options.bits))
            self._names[unit.image] = (name, unit.size, unit.seed)
        values = {
            "input_dir": str(source),
            "output_dir": str(target),
            "scale": format_scale(self._scale),
            "seed": str(seed),
        }
        self._arguments = [argument.format(**values) for argument in shlex.split(self._options.run)]
        if not taken:
            return Ended("", "")
        return run_program(self._arguments, self._root, self._options.timeout * len(taken))
