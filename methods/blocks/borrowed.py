"""Tensors that a network uses but that are not its own: frozen parts of others stay out of its state dict."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import nn


def leave_out(network: nn.Module, names: frozenset[str]) -> None:
    """Let `state_dict` hold, and `load_state_dict` ask for, everything but these tensors.

    Args:
        network: Of which they are a part.
        names: As in its state dict.
    """
    network._register_state_dict_hook(partial(_drop, names))
    network.register_load_state_dict_post_hook(partial(_forgive, names))


def _drop(names: frozenset[str], module: nn.Module, tensors: dict[str, Any], prefix: str, _: object) -> None:
    for name in names:
        tensors.pop(prefix + name, None)


def _forgive(names: frozenset[str], module: nn.Module, keys: Any) -> None:
    # missing names come with the prefix of whatever holds this module
    keys.missing_keys[:] = [
        name for name in keys.missing_keys if name not in names and not any(name.endswith(f".{each}") for each in names)
    ]
