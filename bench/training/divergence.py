"""The end of a training that diverged: seen at the first loss that is no finite number, before the weights take it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from bench.api import BenchError
from bench.training import parallel


class Diverged(BenchError):  # noqa: N818 - what became of a training, not a fault of a request
    """A loss or a weight is not finite any more; nothing that came of it was stored."""


def require_finite_loss(total: torch.Tensor, losses: Mapping[str, torch.Tensor]) -> None:
    """Stop before the backward pass of a loss that is not finite; all processes of a training stop together.

    Args:
        total: What would be minimised.
        losses: Its parts, to name.
    Raises:
        Diverged: it is not finite in some process.
    """
    if not parallel.agreed(not bool(torch.isfinite(total.detach()).all()), total.device):
        return
    numbers = {name: float(value.detach()) for name, value in losses.items()}
    wrong = {name: value for name, value in numbers.items() if not math.isfinite(value)}
    raise Diverged(", ".join(f"{name} is {value}" for name, value in wrong.items()) or "in another process")


def require_finite_weights(model: nn.Module) -> None:
    """Refuse to store weights that are not finite: an older checkpoint would make room for them.

    Raises:
        Diverged: names a tensor.
    """
    for name, tensor in model.state_dict().items():
        if not bool(torch.isfinite(tensor).all()):
            raise Diverged(f"tensor '{name}' holds values that are not finite")
