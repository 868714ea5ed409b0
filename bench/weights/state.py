"""The state dict in a checkpoint from elsewhere: under whatever keys and prefixes a training left it.

Known forms, each nested in any of the others: BasicSR (`params`, `params_ema`), Lightning (`state_dict` with `net_g.`
before every name), mmengine and mmediting (`generator.`, `generator_ema.`), DataParallel and torch.compile (`module.`,
`_orig_mod.`), LIIF (`model`, `sd`), and a .safetensors file, which is flat and so has them as prefixes.
Averaged weights win over those of the last step, as their authors publish results with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_AVERAGED = ("params_ema", "params-ema", "model_ema", "ema_model", "net_g_ema", "generator_ema", "g_ema", "ema")
_PLAIN = ("params", "net_g", "netG", "generator", "state_dict", "model_state_dict", "model", "sd", "net", "weights")
_KEYS = (*_AVERAGED, *_PLAIN)
"""Names of what holds a network, in the order in which they are looked for."""
_WRAPPERS = ("module", "_orig_mod")
"""Names that a wrapper around a network leaves before those of its tensors."""
_HOLDERS = ("model", "net", "network")
"""Names under which a Lightning module keeps its one network."""
_PARTS = frozenset(
    ("params_ema", "params-ema", "net_g_ema", "generator_ema", "params", "net_g", "netG", "generator", "state_dict")
)
"""Of `_KEYS`, those that no network calls a part of itself, so that they may be taken off where they are prefixes."""

State = dict[str, torch.Tensor]


def find_state(content: Any, *, depth: int = 8) -> tuple[State, Mapping[str, Any]]:
    """The tensors of a checkpoint, and what lies beside them.

    Args:
        content: What a file holds, as `bench.weights.reader.read_content` gives it.
        depth: How many dicts deep is looked.
    Returns:
        Name -> tensor without the names of what held them, empty where there are none; and the other entries of the
        innermost dict that held the state dict, such as a model's arguments.
    """
    if not isinstance(content, Mapping) or depth == 0:
        return {}, {}
    for key in _KEYS:
        tensors, beside = find_state(content.get(key), depth=depth - 1)
        if tensors:
            return tensors, beside or {name: value for name, value in content.items() if name != key}
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and _is_tensor(value)}
    return without_prefixes(tensors), {}


def without_prefixes(tensors: State) -> State:
    """Names as the network has them.

    A prefix goes if all names have it; where several networks lie side by side (`net_g.`, `net_d.`), the first of
    `_KEYS` is taken.

    >>> names = ("params.a.weight", "params_ema.a.weight")
    >>> list(without_prefixes({name: torch.zeros(1) for name in names}))
    ['a.weight']
    """
    while True:
        first = {name.partition(".")[0] for name in tensors if "." in name}
        alone = next(iter(first)) if len(first) == 1 and all("." in name for name in tensors) else ""
        if alone in _WRAPPERS or (alone in _HOLDERS and not any(map(_is_numbered, tensors))):
            chosen = alone
        else:
            chosen = next((key for key in _KEYS if key in first and key in _PARTS), None)
        if chosen is None:
            return tensors
        prefix = f"{chosen}."
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _is_numbered(name: str) -> bool:
    """Whether a layer in a row is meant, as in ESRGAN's `model.0.weight`: what holds it is then the network itself."""
    return name.split(".")[1].isdigit()


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)
