"""Checkpoints as LIIF's code saves them, and the code that is built on it (LTE): how they say what network they hold.

Source: the training scripts of LIIF (Chen, Liu, Wang, CVPR 2021) and LTE (Lee and Jin, CVPR 2022) store
`{"model": {"name", "args": {"encoder_spec", "imnet_spec", …}, "sd"}}`; arguments that are left out have the defaults of
their constructors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from bench.api import RequestError
from bench.weights.reader import Weights, check_method

ENCODER = "edsr-baseline"
_ENCODER_DEFAULTS: Mapping[str, Any] = {"n_resblocks": 16, "n_feats": 64, "res_scale": 1, "no_upsampling": True}
_UNUSED_ARGUMENTS = frozenset({"scale", "rgb_range", "in_dim", "out_dim"})
"""Arguments that change nothing here: of an upsampler and a mean shift that are not run, and what others imply."""
_UNUSED_TENSORS = ("encoder.sub_mean.", "encoder.add_mean.")
"""Two mean shifts that the network holds and never applies."""


@dataclass(frozen=True)
class AuthorsModel:
    """What a checkpoint says of its network.

    Attributes:
        blocks, width: Of the EDSR-baseline encoder.
        hidden: Hidden widths of the MLP; None where the checkpoint does not say.
        options: The model's own further arguments.
    """

    blocks: int
    width: int
    hidden: tuple[int, ...] | None
    options: Mapping[str, Any]


def authors_model(weights: Weights, *, name: str, options: Mapping[str, Any]) -> AuthorsModel:
    """What a checkpoint in the authors' format says of its network; bare tensors say nothing, so get the defaults.

    Args:
        weights: A file without an architecture of this project.
        name: The model's name in their registry, which is the method's here.
        options: The arguments of its constructor beside encoder and MLP, with their defaults.
    Raises:
        RequestError: another model, another encoder, or an argument that this version does not know; names it.
    """
    check_method(weights, name)
    args = _mapping(weights, weights.beside.get("args"), "args")
    encoder = _mapping(weights, args.get("encoder_spec"), "encoder_spec")
    if encoder.get("name", ENCODER) != ENCODER:
        raise RequestError(
            f"{weights.path} holds a '{name}' with the encoder '{encoder['name']}'; this version reads those with "
            f"'{ENCODER}': give the authors' {ENCODER}-{name}.pth"
        )
    shape = _known(weights, _mapping(weights, encoder.get("args"), "encoder_spec.args"), _ENCODER_DEFAULTS)
    if shape["res_scale"] != 1 or not shape["no_upsampling"]:
        raise RequestError(f"{weights.path}: its encoder scales its branches or enlarges, which this version does not")
    mlp = _mapping(weights, args.get("imnet_spec"), "imnet_spec")
    if mlp.get("name", "mlp") != "mlp":
        raise RequestError(f"{weights.path} decodes with a '{mlp['name']}'; this version reads those with an 'mlp'")
    layers = _known(weights, _mapping(weights, mlp.get("args"), "imnet_spec.args"), {"hidden_list": None})
    hidden = layers["hidden_list"]
    if hidden is not None and not (isinstance(hidden, list) and all(isinstance(width, int) for width in hidden)):
        raise RequestError(f"{weights.path}: its 'hidden_list' is {hidden!r}, expected whole numbers")
    own = {key: value for key, value in args.items() if key not in ("encoder_spec", "imnet_spec")}
    return AuthorsModel(
        blocks=shape["n_resblocks"],
        width=shape["n_feats"],
        hidden=None if hidden is None else tuple(hidden),
        options=_known(weights, own, options),
    )


def with_our_names(tensors: Mapping[str, torch.Tensor], decoder: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """Tensors under the names that they have here: what lies at the top there is the decoder's.

    Args:
        tensors: Under the authors' names; others are kept.
        decoder: The modules at the top that are parts of the decoder here, such as "imnet".
    """
    moved = tuple(f"{module}." for module in decoder)
    return {
        f"decoder.{name}" if name.startswith(moved) else name: tensor
        for name, tensor in tensors.items()
        if not name.startswith(_UNUSED_TENSORS)
    }


def _mapping(weights: Weights, value: Any, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RequestError(f"{weights.path}: its '{what}' is a {type(value).__name__}, expected names and values")
    return value


def _known(weights: Weights, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments over their defaults."""
    unknown = sorted(set(given) - set(defaults) - _UNUSED_ARGUMENTS)
    if unknown:
        raise RequestError(
            f"{weights.path} was trained with '{unknown[0]}', which this version does not know; known are "
            f"{', '.join(defaults) or 'none'}"
        )
    return {key: given.get(key, default) for key, default in defaults.items()}
