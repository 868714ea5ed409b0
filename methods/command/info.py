"""An external program as a registered method (no torch here)."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from string import Formatter
from typing import Literal, cast

from pydantic import Field, field_validator, model_validator

from bench.api import MethodInfo, MethodOptions, MethodSpec, Scale

PER_IMAGE = ("input", "output")
PER_FOLDER = ("input_dir", "output_dir")
FIELDS = (*PER_IMAGE, *PER_FOLDER, "scale", "width", "height", "seed")
RESULT_FIELDS = ("image", "scale", "float_scale")


class CommandOptions(MethodOptions):
    """`--set command.KEY=VALUE`."""

    run: str = Field(
        description="The program and its arguments, such as 'python up.py {input} {output} --size {width}x{height}'; "
        "{input} and {output} are PNG files, {scale}, {width}, {height} and {seed} numbers. With {input_dir} and "
        "{output_dir} in place of {input} and {output} it runs once for the images of a dataset at a scale, each a PNG "
        "file called after its image; {seed} is then that of the run. No shell is involved."
    )
    result: str = Field(
        default="",
        description="File name below {output_dir} with {image}, {scale} (4, 3.6) and {float_scale} (4.0, 3.6), such as "
        "'x{scale}/{image}_SR.png'. Default: found by its name, as 'precomputed' finds one.",
    )
    timeout: float = Field(default=600.0, gt=0, description="Seconds per image; a folder has those of its images.")
    bits: Literal["auto", "8", "16"] = Field(
        default="auto", description="Depth of the LR file; auto: 8 where the LR pixels are whole 8-bit levels, else 16."
    )

    @field_validator("run")
    @classmethod
    def _usable(cls, run: str) -> str:
        try:
            arguments = shlex.split(run)
        except ValueError as fault:
            raise ValueError(f"the command line cannot be read: {fault}") from None
        if not arguments:
            raise ValueError("the command line is empty")
        fields = _fields(arguments, FIELDS)
        wanted, others = (PER_FOLDER, PER_IMAGE) if fields & set(PER_FOLDER) else (PER_IMAGE, PER_FOLDER)
        if missing := [f"{{{name}}}" for name in wanted if name not in fields]:
            raise ValueError(f"{' and '.join(missing)} must stand in it")
        if wanted is PER_FOLDER and (wrong := [n for n in (*others, "width", "height") if n in fields]):
            raise ValueError(f"{{{wrong[0]}}} is of one image, {{input_dir}} of many; leave one of them out")
        return run

    @field_validator("result")
    @classmethod
    def _findable(cls, result: str) -> str:
        if result and "image" not in _fields([result], RESULT_FIELDS):
            raise ValueError("{image} must stand in it, or all images would have one file")
        if Path(result).is_absolute() or ".." in Path(result).parts:
            raise ValueError("it is a name below {output_dir}, so not absolute and without '..'")
        return result

    @model_validator(mode="after")
    def _of_a_folder(self) -> CommandOptions:
        if self.result and not self.takes_folder:
            raise ValueError("result names files below {output_dir}, which does not stand in command.run")
        return self

    @property
    def takes_folder(self) -> bool:
        """Whether the program runs once for many images."""
        return "input_dir" in _fields(shlex.split(self.run), FIELDS)


def _fields(arguments: list[str], known: tuple[str, ...]) -> set[str]:
    """The placeholders of some texts.

    Raises:
        ValueError: a brace without its partner, an unknown name, or a format.
    """
    try:
        parts = [part for argument in arguments for part in Formatter().parse(argument)]
    except ValueError as fault:
        raise ValueError(f"it cannot be read: {fault}") from None
    fields = {name for _, name, _, _ in parts if name is not None}
    if unknown := fields - set(known):
        raise ValueError(
            f"{', '.join(f'{{{name}}}' for name in sorted(unknown))} is none of "
            f"{', '.join(f'{{{name}}}' for name in known)} (double a brace that is meant literally)"
        )
    if any(spec for _, _, spec, _ in parts):
        raise ValueError("a format such as {scale:.2f} is not understood; write {scale}")
    return fields


def fingerprint(options: MethodOptions, image: str, scale: Scale) -> str:
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
    elsewhere=True,
    prepares=True,
)
