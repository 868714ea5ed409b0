"""Counting the parameters of whatever a loaded method holds, without knowing the method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from bench.api import Method


@dataclass(frozen=True)
class ParameterCount:
    """How many numbers a method's networks hold, each once, without buffers such as running statistics.

    Attributes:
        total: All of them.
        frozen: Those that its training leaves as they are, as the networks themselves say (`requires_grad`).
    """

    total: int
    frozen: int

    @property
    def trainable(self) -> int:
        """Those that its training changes."""
        return self.total - self.frozen


def count_parameters(method: Method) -> ParameterCount | None:
    """The parameters of a loaded method; None where it holds no network of torch.

    Args:
        method: After `load`. Networks are looked for in its attributes, in lists and mappings of them, and in the
            attribute `model` of what holds one (as spandrel's descriptors do).
    """
    unlike: dict[int, nn.Parameter] = {}
    found = False
    for network in _networks(list(vars(method).values()), depth=2):
        found = True
        unlike |= {id(parameter): parameter for parameter in network.parameters()}
    if not found:
        return None
    frozen = sum(parameter.numel() for parameter in unlike.values() if not parameter.requires_grad)
    return ParameterCount(sum(parameter.numel() for parameter in unlike.values()), frozen)


def _networks(values: list[Any], *, depth: int) -> Iterator[nn.Module]:
    from torch import nn

    for value in values:
        if isinstance(value, nn.Module):
            yield value
        elif depth and isinstance(value, list | tuple):
            yield from _networks(list(value), depth=depth - 1)
        elif depth and isinstance(value, dict):
            yield from _networks(list(value.values()), depth=depth - 1)
        elif isinstance(held := getattr(value, "model", None), nn.Module):
            yield held
