"""From a training's newest checkpoint to a weights file with its card.

The weights are the averaged ones where the training averages. The safetensors metadata holds the method's name and its
architecture, so the file says itself how to rebuild the network.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from bench import __version__
from bench.api import RequestError
from bench.imaging.atomic import atomic_write
from bench.training.config import METADATA_KEY
from bench.training.story import read_figures

_LOST = 1e-3
"""Largest share of a tensor's root mean square that 16 bits may lose; a tensor that loses more stays in 32."""


def newest_checkpoint(out: Path) -> Path:
    """The checkpoint to resume or export.

    Raises:
        RequestError: there is none.
    """
    marker = out / "last_checkpoint"
    if not marker.is_file():
        raise RequestError(f"no checkpoint in {out}; start a training with --out {out}")
    path = out / Path(marker.read_text(encoding="utf-8").strip()).name
    if not path.is_file():
        raise RequestError(f"the newest checkpoint of {out} should be {path.name}, but that file is missing")
    return path


def export_weights(out: Path, target: Path, *, note: str = "", half: bool = False) -> dict[str, Any]:
    """Write the weights and the card beside them.

    Args:
        out: Folder of the training.
        target: The .safetensors file; the card gets its name with .json.
        note: A sentence for the card.
        half: Store float16 wherever that loses less than a thousandth of a tensor; methods compute in float32 anyway.
    Returns:
        The card.
    Raises:
        RequestError: no checkpoint, an unreadable one, or a target of another type.
    """
    if target.suffix != ".safetensors":
        raise RequestError(f"weights are written as .safetensors; got {target}")
    source = newest_checkpoint(out)
    try:
        checkpoint = torch.load(source, map_location="cpu", weights_only=True)
        about: dict[str, Any] = json.loads(checkpoint["meta"]["training"])
    except Exception as fault:
        raise RequestError(f"cannot export {source}: {type(fault).__name__}: {fault}") from fault
    prefix = "network."
    tensors = {
        name.removeprefix(prefix): _stored(tensor, half=half)
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
    buffers = set(about.get("buffers", ()))
    stage = {"stage": about["stage"]} if about.get("stage") else {}
    said = {"format": 1, "method": about["method"], "architecture": about["architecture"], **stage}
    data = save(tensors, {METADATA_KEY: json.dumps(said, sort_keys=True)})
    steps = int(checkpoint["meta"]["iter"])
    figures = {step: values for step, values in read_figures(out).items() if step <= steps}
    validated = max(figures, default=0)
    target.parent.mkdir(parents=True, exist_ok=True)
    card = {
        "file": target.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "method": about["method"],
        **stage,
        "parameters": sum(tensor.numel() for name, tensor in tensors.items() if name not in buffers),
        **({"stored": "float16"} if half else {}),
        "made_by": f"assr-bench {__version__}, bench train {about['method']}",
        **({"note": note} if note else {}),
        "steps": steps,
        "train_seconds": round(about["seconds"]),
        "machine": about["machine"],
        "seed": about["config"]["seed"],
        "data": about["data"],
        "validation": {key: round(value, 3) for key, value in figures.get(validated, {}).items()},
        "validated_at_step": validated,
        "config": {key: _without_folder(value) for key, value in about["config"].items()},
        **({"before": about["before"]} if about.get("before") else {}),
    }
    with atomic_write(target, "wb") as file:
        file.write(data)
    with atomic_write(target.with_suffix(".json")) as file:
        file.write(json.dumps(card, indent=2) + "\n")
    return card


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


def _without_folder(value: Any) -> Any:
    """A card travels: of a file on this machine it keeps the name."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
