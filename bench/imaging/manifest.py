"""Frozen degradations on disk: one JSON file that maps image ids to what was drawn for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.imaging.atomic import atomic_write
from bench.imaging.degrade import BlindDegradation, Degradation
from bench.imaging.errors import ImageError
from bench.imaging.kernels import GaussianBlur, SincBlur
from bench.imaging.real_esrgan import Noise, RealEsrganDegradation, Stage

_FORMAT = "assr-bench degradations 1"


def to_json(degradation: Degradation) -> dict[str, Any]:
    """The degradation as plain JSON values; its `kind` is part of it, floats keep every digit."""
    return {"kind": degradation.kind, **asdict(degradation)}


def from_json(values: Mapping[str, Any]) -> Degradation:
    """The degradation that `to_json` described.

    Raises:
        ImageError: an unknown kind, or missing or unknown fields.
    """
    try:
        fields = {key: value for key, value in values.items() if key != "kind"}
        if values["kind"] == BlindDegradation.kind:
            return BlindDegradation(**{**fields, "blur": GaussianBlur(**fields["blur"])})
        if values["kind"] == RealEsrganDegradation.kind:
            sinc = fields["final_sinc"]
            return RealEsrganDegradation(
                **{
                    **fields,
                    "first": _stage(fields["first"]),
                    "second": _stage(fields["second"]),
                    "final_sinc": None if sinc is None else SincBlur(**sinc),
                }
            )
    except (KeyError, TypeError) as fault:
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
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ImageError(f"{path}: expected a degradation manifest, but it cannot be read: {fault}") from fault
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ImageError(f'{path}: expected a JSON object with "format": "{_FORMAT}"')
    found: dict[str, Degradation] = {}
    for name, values in document.get("images", {}).items():
        try:
            found[name] = from_json(values)
        except ImageError as fault:
            raise ImageError(f"{path}: image '{name}': {fault}") from fault
    return found


def _stage(values: Mapping[str, Any]) -> Stage:
    blur = values["blur"]
    made = None if blur is None else SincBlur(**blur) if "cutoff" in blur else GaussianBlur(**blur)
    return Stage(**{**values, "blur": made, "noise": Noise(**values["noise"])})
