"""Protocols of one's own: a YAML file of knobs, or single knobs changed with `--set`; strict, and signed as any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.api import PRESETS, Protocol, RequestError, get_protocol, unknown_name, user_path
from bench.api.protocol import KNOBS
from bench.api.yaml_text import YamlError, load_yaml
from bench.imaging.regular import read_regular

SUFFIXES = (".yaml", ".yml")
"""What a protocol is a file by, and no name."""
_LABELS = ("summary", "source")
_PREFIX = "protocol."
_BASE = "sample"


def find_protocol(name: str) -> Protocol:
    """A preset by its name, or the protocol of a file.

    Raises:
        RequestError: nobody registered it, or the file is not there or says something else (names the key).
    """
    path = user_path(name)
    return _read(path) if path.suffix.lower() in SUFFIXES else get_protocol(name)


def split_knobs(items: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """`--set` items apart: those of methods, and knob -> text of those that begin with "protocol.".

    Raises:
        RequestError: an item of the protocol without a value, or a knob that is set twice.
    """
    knobs: dict[str, str] = {}
    for item in items:
        if item.startswith(_PREFIX):
            knob, equals, value = item.removeprefix(_PREFIX).partition("=")
            if not equals or not value:
                raise RequestError(f"--set {item}: expected protocol.KNOB=VALUE, such as protocol.shave=0")
            if knob in knobs:
                raise RequestError(f"--set protocol.{knob} is given twice; leave one out")
            knobs[knob] = value
    return tuple(item for item in items if not item.startswith(_PREFIX)), knobs


def with_knobs(protocol: Protocol, knobs: Mapping[str, str]) -> Protocol:
    """The protocol with other knobs, named by what was changed: "basicsr-y,shave=0".

    Raises:
        RequestError: no such knob, or a value that it does not take.
    """
    if not knobs:
        return protocol
    for knob in knobs:
        _check_knob(knob, "--set protocol.")
    values: dict[str, Any] = {knob: _typed(knob, text) for knob, text in knobs.items()}
    name = ",".join([protocol.name, *(f"{knob}={knobs[knob]}" for knob in sorted(knobs))])
    return _made(protocol, {**values, "name": name}, "--set protocol.")


def _typed(knob: str, text: str) -> Any:
    try:
        return load_yaml(text)
    except YamlError as fault:
        raise RequestError(f"--set protocol.{knob}={text[:60]}: {fault}") from None


def _read(path: Path) -> Protocol:
    """The protocol of a file, called as the file is; `base` names the preset that it starts from."""
    try:
        values = load_yaml(read_regular(path))
    except OSError as fault:
        raise RequestError(f"--protocol {path} cannot be read: {fault.strerror or fault}") from None
    except YamlError as fault:
        raise RequestError(f"--protocol {path} is not YAML: {fault}") from None
    if not isinstance(values, dict) or not values:
        raise RequestError(f"--protocol {path}: expected knobs such as 'shave: s', see 'bench protocols sample'")
    if path.stem in PRESETS:
        raise RequestError(f"--protocol {path}: '{path.stem}' is the name of a preset; call the file otherwise")
    where = f"{path}: "
    base = get_protocol(str(values.pop("base", _BASE)))
    for knob in values:
        if knob not in _LABELS:
            _check_knob(str(knob), where)
    labels = {"summary": f"own protocol of {path.name}", "source": ""}
    return _made(base, {**labels, **values, "name": path.stem}, where)


def _check_knob(knob: str, where: str) -> None:
    if knob == "lr_given":
        raise RequestError(f"{where}{knob}: a set says itself whether it brings LR images; leave it out")
    if knob not in KNOBS:
        raise unknown_name(f"knob of a protocol ({where}{knob})", knob, KNOBS, "bench protocols sample")


def _made(base: Protocol, values: Mapping[str, Any], where: str) -> Protocol:
    known = {**asdict(base), **values}
    # YAML reads 0 as a number, and the rule without a border is the word "0"
    known |= {name: "0" for name in ("shave", "ssim_shave") if known[name] == 0 and known[name] is not False}
    try:
        # as JSON, of which strict reading takes a mapping for a dataclass
        return TypeAdapter(Protocol).validate_json(json.dumps(known, default=str), strict=True)
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        knob = str(first["loc"][0]) if first["loc"] else ""
        said = str(first["msg"]).removeprefix("Value error, ")
        seen = f"{knob}: {said}, got {values.get(knob)!r}" if knob else said
        raise RequestError(f"{where}{seen}; see 'bench protocols sample'") from None
