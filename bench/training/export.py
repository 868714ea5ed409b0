"""From a training's newest checkpoint to a weights file with its card.

The weights are the averaged ones where the training averages.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import __version__
from bench.api import RequestError
from bench.training.story import read_figures
from bench.weights.card import WeightsCard
from bench.weights.reader import read_content
from bench.weights.writer import check_weights_target, write_weights


def newest_checkpoint(out: Path) -> Path:
    """The checkpoint to resume or export.

    Raises:
        RequestError: there is none.
    """
    marker = out / "last_checkpoint"
    if not marker.is_file():
        raise RequestError(f"no checkpoint in {out}; start a training with --out {out}")
    path = out / Path(marker.read_text(encoding="utf-8", errors="replace").strip()).name
    if not path.is_file():
        raise RequestError(f"the newest checkpoint of {out} should be {path.name}, but that file is missing")
    return path


def export_weights(out: Path, target: Path, *, note: str = "", half: bool = False) -> WeightsCard:
    """Write the weights and the card beside them.

    Args:
        out: Folder of the training.
        target: The .safetensors file; the card gets its name with .json.
        note: A sentence for the card.
        half: See `write_weights`.
    Returns:
        The card.
    Raises:
        RequestError: no checkpoint, an unreadable one, or a target of another type.
    """
    check_weights_target(target)
    source = newest_checkpoint(out)
    try:
        checkpoint = read_content(source)
        about: dict[str, Any] = json.loads(checkpoint["meta"]["training"])
        state = dict(checkpoint["state_dict"])
        steps = int(checkpoint["meta"]["iter"])
    except RequestError as fault:
        raise RequestError(f"cannot export: {fault}") from fault
    except (KeyError, TypeError, ValueError) as fault:
        raise RequestError(f"cannot export {source}: it does not tell of its training ({fault})") from fault
    prefix = "network."
    tensors = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    buffers = set(about.get("buffers", ()))
    figures = {step: values for step, values in read_figures(out).items() if step <= steps}
    validated = max(figures, default=0)
    card = WeightsCard(
        method=about["method"],
        stage=about.get("stage") or "",
        parameters=sum(tensor.numel() for name, tensor in tensors.items() if name not in buffers),
        made_by=f"assr-bench {__version__}, bench train {about['method']}",
        note=note,
        steps=steps,
        train_seconds=round(about["seconds"]),
        machine=about["machine"],
        seed=about["config"]["seed"],
        data=about["data"],
        validation={key: round(value, 3) for key, value in figures.get(validated, {}).items()},
        validated_at_step=validated,
        config={key: _without_folder(value) for key, value in about["config"].items()},
        before=about.get("before") or [],
    )
    return write_weights(target, tensors, about["architecture"], card, half=half)


def _without_folder(value: Any) -> Any:
    """A card travels: of a file on this machine it keeps the name."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
