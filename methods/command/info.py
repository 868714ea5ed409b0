"""An external program as a registered method (no torch here)."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from string import Formatter
from typing import Literal, cast

from pydantic import Field, field_validator

from bench.api import MethodInfo, MethodOptions, MethodSpec

FIELDS = ("input", "output", "scale", "width", "height", "seed")


class CommandOptions(MethodOptions):
    """`--set command.KEY=VALUE`."""

    run: str = Field(
        description="The program and its arguments, such as 'python up.py {input} {output} --size {width}x{height}'; "
        "{input} and {output} are PNG files, {scale}, {width}, {height} and {seed} numbers. No shell is involved."
    )
    timeout: float = Field(default=600.0, gt=0, description="Seconds per image.")
    bits: Literal["auto", "8", "16"] = Field(
        default="auto", description="Depth of the LR file; auto: 8 where the LR pixels are whole 8-bit levels, else 16."
    )

    @field_validator("run")
    @classmethod
    def _usable(cls, run: str) -> str:
        try:
            arguments = shlex.split(run)
            fields = {
                name for argument in arguments for _, name, _, _ in Formatter().parse(argument) if name is not None
            }
        except ValueError as fault:
            raise ValueError(f"the command line cannot be read: {fault}") from None
        if not arguments:
            raise ValueError("the command line is empty")
        if unknown := fields - set(FIELDS):
            raise ValueError(
                f"{', '.join(f'{{{name}}}' for name in sorted(unknown))} is none of "
                f"{', '.join(f'{{{name}}}' for name in FIELDS)} (double a brace that is meant literally)"
            )
        if any(spec for argument in arguments for _, _, spec, _ in Formatter().parse(argument)):
            raise ValueError("a format such as {scale:.2f} is not understood; write {scale}")
        if missing := [f"{{{name}}}" for name in ("input", "output") if name not in fields]:
            raise ValueError(f"{' and '.join(missing)} must stand in it")
        return run


def fingerprint(options: MethodOptions, image: str, scale: float) -> str:
    """The hashes of the program and of every file named in its arguments; what those read in turn is not seen."""
    from bench.imaging.hashing import file_sha256

    program, *arguments = shlex.split(cast("CommandOptions", options).run)
    found = [Path(shutil.which(program) or program), *(Path(argument) for argument in arguments)]
    return "+".join(f"{path.name}:{file_sha256(path)}" for path in found if path.is_file())


COMMAND = MethodSpec(
    info=MethodInfo(
        name="command",
        display="Command",
        summary="an external program, LR and SR as PNG files; --set command.run='PROGRAM {input} {output} {scale}'",
        licence="that of the program",
        stochastic=True,
    ),
    factory="methods.command.method:Command",
    root=Path(__file__).parent,
    options=CommandOptions,
    fingerprint=fingerprint,
    fingerprint_per_image=False,
)
