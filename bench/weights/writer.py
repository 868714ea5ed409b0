"""Writing weights: one safetensors file that says how to rebuild its network, and the card beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from bench.api import RequestError
from bench.imaging.atomic import atomic_write
from bench.weights.card import METADATA_KEY, WeightsCard

_LOST = 1e-3
"""Largest share of a tensor's root mean square that 16 bits may lose; a tensor that loses more stays in 32."""


def check_weights_target(target: Path) -> None:
    """Refuse a place that weights are not written to.

    Raises:
        RequestError: another suffix.
    """
    if target.suffix != ".safetensors":
        raise RequestError(f"weights are written as .safetensors; got {target}")


def write_weights(
    target: Path,
    tensors: Mapping[str, torch.Tensor],
    architecture: Mapping[str, Any],
    card: WeightsCard,
    *,
    half: bool = False,
) -> WeightsCard:
    """Write the weights and, under the same name with .json, their card.

    Args:
        target: The .safetensors file; its folder is made.
        tensors: name -> tensor; floating ones are stored in float32.
        architecture: What rebuilds the network.
        card: All but what only the file tells (`file`, `sha256`, `bytes`, `stored`).
        half: Store float16 wherever that loses less than a thousandth of a tensor; methods compute in float32 anyway.
    Returns:
        The whole card.
    Raises:
        RequestError: a target of another type, or a tensor with values that are not finite.
    """
    check_weights_target(target)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise RequestError(
                f"tensor '{name}' holds values that are not finite: such weights are not written to {target}; go "
                "back to an earlier checkpoint"
            )
    stage = {"stage": card.stage} if card.stage else {}
    about = {"format": 1, "method": card.method, "architecture": architecture, **stage}
    stored = {name: _stored(tensor, half=half) for name, tensor in tensors.items()}
    data = save(stored, {METADATA_KEY: json.dumps(about, sort_keys=True)})
    whole = card.model_copy(
        update={
            "file": target.name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "stored": "float16" if half else "",
        }
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target, "wb") as file:
        file.write(data)
    with atomic_write(target.with_suffix(".json")) as file:
        file.write(whole.to_json())
    return whole


def _stored(tensor: torch.Tensor, *, half: bool) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor.contiguous()
    exact = tensor.float().contiguous()
    if not half:
        return exact
    short = exact.half()
    lost = (short.float() - exact).square().mean().sqrt()
    # an overflow is infinite, and so a loss
    return short if lost <= _LOST * exact.square().mean().sqrt() else exact
