"""Reading weights: safetensors first, else `torch.load(weights_only=True)`; damage and wrong shapes are named.

A file of this project carries, in its safetensors metadata, the method's name and its architecture as JSON (written by
`bench.weights.writer`), so that lite, full and a user's own file all load by the same code.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ValidationError
from torch import nn

from bench.api import RequestError
from bench.imaging.regular import read_regular
from bench.weights.card import METADATA_KEY, WeightsCard
from bench.weights.first_bytes import why_no_weights
from bench.weights.state import find_state

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
"""How the files of `torch.save` begin, since version 1.6 and before."""

A = TypeVar("A", bound=BaseModel)
N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Weights:
    """The content of a weights file.

    Attributes:
        path: Where it came from, for messages.
        tensors: name -> tensor, on the CPU.
        method: Name of the method that it says to be for, ours or its authors' word; empty where it does not say.
        architecture: What rebuilds the network; None where the file does not say.
        extra: Further values that the method stored, each JSON.
        beside: What else lies in the dict that holds the state dict of a checkpoint from elsewhere, such as the
            arguments of its model.
    """

    path: Path
    tensors: Mapping[str, torch.Tensor]
    method: str = ""
    architecture: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)


def read_weights(path: Path) -> Weights:
    """Read a weights file; no code in it is ever run.

    Args:
        path: A .safetensors file, or what `torch.save` made of tensors, dicts and plain values.
    Returns:
        Its tensors, by the names that the network has whatever form the checkpoint has (`bench.weights.state`), and
        what it says of itself.
    Raises:
        RequestError: missing, damaged, or not weights; names the file.
    """
    if not path.is_file():
        raise RequestError(f"no weights file at {path}")
    content, metadata = _read(path)
    own = metadata is not None and METADATA_KEY in metadata
    tensors, beside = (content, {}) if own else find_state(content)
    if metadata is None or not own:
        if not tensors:
            raise RequestError(f"{path}: found no tensors by name; expected a state dict")
        # LIIF's code and its successors store {"name", "args", "sd"}
        said = beside.get("name") if "args" in beside else ""
        return Weights(path, tensors, said if isinstance(said, str) else "", beside=beside)
    try:
        about = json.loads(metadata.get(METADATA_KEY, "{}"))
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise RequestError(f"{path}: the metadata '{METADATA_KEY}' is not a JSON object; the file was not made here")
    return Weights(path, tensors, str(about.pop("method", "")), about.pop("architecture", None), about)


def read_content(path: Path) -> Any:
    """Tensors and plain values of a weights file, nested as they are in it; no code in it is ever run.

    Args:
        path: As for `read_weights`.
    Raises:
        RequestError: missing, damaged, or more than tensors and plain values; names the file.
    """
    if not path.is_file():
        raise RequestError(f"no weights file at {path}")
    return _read(path)[0]


def read_card(path: Path) -> WeightsCard:
    """The card beside a weights file.

    Args:
        path: The weights file.
    Raises:
        RequestError: no card, or none that can be read; names its file.
    """
    card = path.with_suffix(".json")
    try:
        return WeightsCard.model_validate_json(read_regular(card))
    except OSError as fault:
        raise RequestError(f"{card}, the card of {path.name}, cannot be read: {fault.strerror or fault}") from fault
    except ValidationError as fault:
        raise RequestError(f"{card} is not the card of a weights file: {_faults(fault)}") from fault
    except ValueError as fault:
        raise RequestError(f"{card} is not the card of a weights file: {fault}") from fault


def read_network(path: Path, kind: type[A], build: Callable[[A], N], *, method: str, stage: str = "") -> N:
    """The network in a weights file of this project, on the CPU in float32.

    Args:
        path: The file.
        kind: The method's architecture model.
        build: Makes the network of an architecture.
        method: Registered name that is expected in the file.
        stage: Of a method that is trained in stages: whose weights are expected; "": do not ask.
    Raises:
        RequestError: missing, damaged, of another method, stage or shape.
    """
    weights = read_weights(path)
    check_stage(weights, stage)
    network = build(read_architecture(kind, weights, method=method))
    load_into(network, weights.tensors, path)
    return network


def check_method(weights: Weights, method: str) -> None:
    """Refuse weights that say to be another method's.

    Args:
        weights: A file's content.
        method: Registered name of whose weights are expected.
    Raises:
        RequestError: names both.
    """
    if weights.method and weights.method != method:
        raise RequestError(f"{weights.path} holds weights of '{weights.method}', expected '{method}'")


def check_stage(weights: Weights, stage: str) -> None:
    """Refuse weights that say to be of another training stage.

    Args:
        weights: A file's content.
        stage: Whose weights are expected; "": do not ask.
    Raises:
        RequestError: names both.
    """
    said = str(weights.extra.get("stage", ""))
    if stage and said and said != stage:
        raise RequestError(
            f"{weights.path} holds weights of the training stage '{said}', expected those of '{stage}': give the file "
            f"that stage '{stage}' left"
        )


def load_into(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Copy tensors into a network, every one of them and nothing else.

    Args:
        network: Where they go.
        tensors: name -> tensor, cast to the network's dtype.
        path: For messages.
    Raises:
        RequestError: a tensor is missing, unknown, of another shape or not finite; names it and both shapes.
    """
    wanted = network.state_dict()
    for name, target in wanted.items():
        if name not in tensors:
            raise RequestError(f"{path}: tensor '{name}' of shape {tuple(target.shape)} is missing; {_other(tensors)}")
        seen = tensors[name]
        if seen.shape != target.shape:
            raise RequestError(
                f"{path}: tensor '{name}' has shape {tuple(seen.shape)}, expected {tuple(target.shape)}; "
                "these are the weights of another architecture"
            )
        if seen.is_floating_point() and not bool(torch.isfinite(seen).all()):
            raise RequestError(f"{path}: tensor '{name}' holds values that are not finite; the file is damaged")
    unknown = sorted(set(tensors) - set(wanted))
    if unknown:
        raise RequestError(
            f"{path}: unknown tensor '{unknown[0]}' ({len(unknown)} in all); expected {len(wanted)} tensors"
        )
    network.load_state_dict(dict(tensors))


def read_architecture(kind: type[A], weights: Weights, *, method: str) -> A:
    """The architecture that a file carries.

    Args:
        kind: The method's architecture model.
        weights: The file's content.
        method: Registered name that is expected in the file.
    Returns:
        The architecture; the class's defaults (the paper's size) where the file does not say.
    Raises:
        RequestError: made for another method, or not a valid architecture.
    """
    check_method(weights, method)
    try:
        return kind.model_validate(weights.architecture or {})
    except ValidationError as fault:
        raise RequestError(
            f"{weights.path} describes an architecture this version does not know: {_faults(fault)}"
        ) from fault


def _read(path: Path) -> tuple[Any, Mapping[str, str] | None]:
    """Content and metadata of a file that is there; no metadata of what is no safetensors file."""
    reason = why_no_weights(path)
    if reason:
        raise RequestError(f"{path} {reason}")
    with path.open("rb") as file:
        head = file.read(16)
    # a safetensors file starts with the length of its JSON header; zip and pickle files do not have '{' there
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        return _read_safetensors(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True), None
    except Exception as fault:
        raise RequestError(f"{path} {_why_refused(path, head, fault)}") from fault


def _why_refused(path: Path, head: bytes, fault: Exception) -> str:
    """What torch means, without its advice to run the file's code."""
    named = re.search(r"GLOBAL ([\w.]+)", str(fault))
    if named:
        return (
            f"holds Python objects ({named[1]}), more than tensors and plain values; code in a file is never run: save "
            "its state dict alone, or as .safetensors"
        )
    size = path.stat().st_size
    if head.startswith(_ZIP) and not zipfile.is_zipfile(path):
        return f"is damaged: it ends too early, after {size} bytes; get it again"
    if not head.startswith((_ZIP, _PICKLE)):
        return "is damaged, or no checkpoint of torch and no safetensors file at all; get it again"
    if isinstance(fault, EOFError) or "truncated" in str(fault) or "unexpected EOF" in str(fault):
        return f"is damaged: it ends too early, after {size} bytes; get it again"
    return "is damaged, or holds more than tensors and plain values: get it again, or save its state dict alone"


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as fault:
        raise RequestError(f"{path} is damaged or no safetensors file: {fault}; get it again") from fault


def _other(tensors: Mapping[str, torch.Tensor]) -> str:
    return f"the file has {len(tensors)}, such as '{min(tensors)}'" if tensors else "the file has none"


def _faults(fault: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in fault.errors())
