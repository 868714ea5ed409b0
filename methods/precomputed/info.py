"""A folder of someone's outputs as a registered method (no torch here)."""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, cast

from pydantic import Field, field_validator

from bench.api import MethodInfo, MethodOptions, MethodSpec, Scale, Sought, UnitError, format_scale, user_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OF_AXES = ("scale_h", "scale_w", "scale_h_2f", "scale_w_2f")
PATTERN_FIELDS = {"image", "scale", "float_scale", "scale_2f", *_OF_AXES}


class PrecomputedOptions(MethodOptions):
    """`--set precomputed.KEY=VALUE`."""

    folder: Path = Field(description="The folder of SR images; a subfolder x2, x3.6, ... is used where there is one.")
    pattern: str = Field(
        default="",
        description="File name below the folder with {image} and {scale} (4), {float_scale} (4.0) or {scale_2f} "
        "(4.00), or the factor of one axis ({scale_h}, {scale_w}, {scale_h_2f}, {scale_w_2f}), such as "
        "'x{scale}/{image}.png'. Default: the image id with any suffix, else the one file "
        "called after it.",
    )
    luma: bool = Field(
        default=False, description="Take the studio luma of colour files: for outputs stored as RGB under classic-y."
    )

    @field_validator("folder")
    @classmethod
    def _there(cls, folder: Path) -> Path:
        if not user_path(folder).is_dir():
            raise ValueError(f"there is no folder {folder}")
        return folder

    @field_validator("pattern")
    @classmethod
    def _known_fields(cls, pattern: str) -> str:
        if not pattern:
            return pattern
        try:
            parts = list(Formatter().parse(pattern))
        except ValueError as fault:
            raise ValueError(f"it cannot be read: {fault}") from None
        fields = {name for _, name, _, _ in parts if name is not None}
        if any(spec for _, _, spec, _ in parts) or "image" not in fields or not fields <= PATTERN_FIELDS:
            raise ValueError(
                "{image} must stand in it, {scale}, {float_scale}, {scale_2f}, {scale_h}, {scale_w}, {scale_h_2f} and "
                "{scale_w_2f} may, and nothing else in braces"
            )
        return pattern


def fingerprint(options: MethodOptions, image: str, scale: Scale) -> str:
    """The hash of the file that this unit will read, so that a changed file is seen; "missing" where there is none,
    "unreadable" where it cannot be read (a link that leads nowhere, no rights), which the unit then says."""
    from bench.imaging.hashing import file_sha256
    from methods.precomputed.files import locate

    given = cast("PrecomputedOptions", options)
    try:
        return file_sha256(locate(given.folder, image, format_scale(scale), given.pattern))
    except UnitError:
        return "missing"
    except OSError:
        return "unreadable"


def look_up(options: MethodOptions, sought: Sought) -> NDArray[np.float32]:
    """The image of a unit, see `methods.precomputed.files.sr_planes`."""
    from methods.precomputed.files import sr_planes

    given = cast("PrecomputedOptions", options)
    return sr_planes(given.folder, sought, pattern=given.pattern, luma=given.luma)


def missing(options: MethodOptions, image: str, scale: Scale) -> str:
    """Why no file is found for a unit; empty where one is."""
    from methods.precomputed.files import locate

    given = cast("PrecomputedOptions", options)
    try:
        locate(given.folder, image, format_scale(scale), given.pattern)
    except UnitError as fault:
        return str(fault)
    return ""


PRECOMPUTED = MethodSpec(
    info=MethodInfo(
        name="precomputed",
        display="Precomputed",
        summary="a folder of SR images made elsewhere, sizes checked, never resized; --set precomputed.folder=PATH",
        licence="that of the images",
    ),
    factory="methods.precomputed.method:Precomputed",
    root=Path(__file__).parent,
    options=PrecomputedOptions,
    fingerprint=fingerprint,
    elsewhere=True,
    looks_up=True,
    reader=look_up,
    missing=missing,
)
