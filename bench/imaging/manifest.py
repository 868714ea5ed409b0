"""Frozen degradations on disk: one JSON file that maps image ids to what was drawn for them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from bench.imaging.atomic import atomic_write
from bench.imaging.degrade import BlindDegradation, Degradation, Shrinker
from bench.imaging.errors import ImageError
from bench.imaging.kernels import BlurShape, GaussianBlur, SincBlur
from bench.imaging.real_esrgan import INTERPOLATIONS, Noise, RealEsrganDegradation, Stage
from bench.imaging.regular import read_regular

_FORMAT = "assr-bench degradations 1"


def _is_number(low: float, high: float) -> Callable[[object], bool]:
    def test(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    return test


def _is_whole(low: int, high: int) -> Callable[[object], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_one_of(*names: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in names


def _or_none(test: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or test(value)


_PIXELS = _is_number(1e-6, 1e3)
_EXPECTED: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "size": ("an odd number of pixels up to 999", lambda value: _is_whole(1, 999)(value) and int(str(value)) % 2 == 1),
    "sigma_1": ("pixels", _PIXELS),
    "sigma_2": ("pixels", _PIXELS),
    "theta": ("radians", _is_number(-7, 7)),
    "shape": ("a kernel shape", _is_one_of(*get_args(BlurShape))),
    "beta": ("an exponent", _is_number(1e-3, 1e3)),
    "cutoff": ("radians up to pi", _is_number(1e-6, math.pi)),
    "shrinker": ("a downsampler", _is_one_of(*get_args(Shrinker))),
    "ratio": ("a ratio up to 16, or null", _or_none(_is_number(1e-6, 16))),
    "interpolation": ("an interpolation", _is_one_of(*INTERPOLATIONS)),
    "final_interpolation": ("an interpolation", _is_one_of(*INTERPOLATIONS)),
    "jpeg_quality": ("a whole number from 1 to 100, or null", _or_none(_is_whole(1, 100))),
    "jpeg_last": ("true or false", _is_bool),
    "strength": ("a number from 0 to 1000", _is_number(0, 1e3)),
    "gray": ("true or false", _is_bool),
    "seed": ("a whole number below 2**63", _is_whole(0, 2**63 - 1)),
}
"""Field that holds a plain value -> what it must be; noise and degradations have a `kind` of their own beside it."""
_is_noise_kind = _is_one_of("gaussian", "poisson")


def to_json(degradation: Degradation) -> dict[str, Any]:
    """The degradation as plain JSON values; its `kind` is part of it, floats keep every digit."""
    return {"kind": degradation.kind, **asdict(degradation)}


def from_json(values: Mapping[str, Any]) -> Degradation:
    """The degradation that `to_json` described.

    Raises:
        ImageError: an unknown kind, missing or unknown fields, or a value that no degradation has.
    """
    try:
        fields = {key: value for key, value in values.items() if key != "kind"}
        if values["kind"] == BlindDegradation.kind:
            return BlindDegradation(**{**_checked(fields), "blur": GaussianBlur(**_checked(fields["blur"]))})
        if values["kind"] == RealEsrganDegradation.kind:
            sinc = fields["final_sinc"]
            return RealEsrganDegradation(
                **{
                    **_checked(fields),
                    "first": _stage(fields["first"]),
                    "second": _stage(fields["second"]),
                    "final_sinc": None if sinc is None else SincBlur(**_checked(sinc)),
                }
            )
    except (KeyError, TypeError, AttributeError) as fault:
        raise ImageError(f"not a stored degradation: {type(fault).__name__}: {fault}") from fault
    raise ImageError(
        f"unknown degradation kind '{values['kind']}': expected {BlindDegradation.kind} or {RealEsrganDegradation.kind}"
    )


def write_manifest(path: Path | str, degradations: Mapping[str, Degradation]) -> None:
    """Write {image id: degradation}, sorted by id, atomically.

    Raises:
        OSError: the folder is missing, read-only or full.
    """
    images = {name: to_json(degradations[name]) for name in sorted(degradations)}
    with atomic_write(path) as file:
        json.dump({"format": _FORMAT, "images": images}, file, indent=1, ensure_ascii=False)
        file.write("\n")


def read_manifest(path: Path | str) -> dict[str, Degradation]:
    """Read {image id: degradation}.

    Raises:
        ImageError: missing, no such JSON, or an entry that is no degradation; names the file and the id.
    """
    try:
        document = json.loads(read_regular(Path(path)))
    except (OSError, ValueError, RecursionError) as fault:
        raise ImageError(f"{path}: expected a degradation manifest, but it cannot be read: {fault}") from fault
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ImageError(f'{path}: expected a JSON object with "format": "{_FORMAT}"')
    images = document.get("images")
    if not isinstance(images, dict):
        raise ImageError(f'{path}: expected "images" to map image names to degradations, saw {type(images).__name__}')
    found: dict[str, Degradation] = {}
    for name, values in images.items():
        try:
            found[name] = from_json(values)
        except ImageError as fault:
            raise ImageError(f"{path}: image '{name}': {fault}") from fault
    return found


def _stage(values: Mapping[str, Any]) -> Stage:
    blur, noise = values["blur"], values["noise"]
    made = None if blur is None else SincBlur(**_checked(blur)) if "cutoff" in blur else GaussianBlur(**_checked(blur))
    return Stage(**{**_checked(values), "blur": made, "noise": None if noise is None else _noise(noise)})


def _noise(values: Mapping[str, Any]) -> Noise:
    if not _is_noise_kind(values["kind"]):
        raise ImageError(f"kind {str(values['kind'])[:40]!r}: expected gaussian or poisson")
    return Noise(**_checked(values))


def _checked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same values, where every plain one is possible."""
    for name, value in values.items():
        if name in _EXPECTED and not _EXPECTED[name][1](value):
            raise ImageError(f"{name} {str(value)[:40]!r}: expected {_EXPECTED[name][0]}")
    return values
