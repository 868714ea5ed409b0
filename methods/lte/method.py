"""The adapter of LTE to the harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch

from bench.api import RequestError, Size
from bench.weights.reader import Weights, load_into, read_architecture, read_weights
from methods.blocks.adapter import ContinuousMethod
from methods.blocks.arbsr import ArbSR, ArbSRArchitecture
from methods.blocks.liif_format import authors_model, with_our_names
from methods.lte.info import LTE as SPEC
from methods.lte.info import ArbSROptions


class LteArchitecture(ArbSRArchitecture):
    """`ArbSR` with LTE's decoder and nothing else."""

    inr: Literal["lte"] = "lte"  # pyright: ignore[reportIncompatibleVariableOverride]


class LTE(ContinuousMethod[ArbSROptions]):
    """Any size by one network; deterministic."""

    info = SPEC.info
    spec = SPEC
    Options = ArbSROptions

    def read(self, weights: Path) -> ArbSR:
        """See `load_network`."""
        return load_network(weights)

    def run(self, network: ArbSR, lr: torch.Tensor, size: Size, cell: torch.Tensor) -> torch.Tensor:
        """See `ContinuousMethod.run`."""
        options = self.options
        return network.upsample(lr * 2 - 1, size, chunk=options.chunk, cell=cell, tile=options.tile)


def load_network(path: Path) -> ArbSR:
    """The network in a weights file, on the CPU in float32.

    Args:
        path: A file made by `bench train lte`, or a published LTE checkpoint (EDSR-baseline).
    Raises:
        RequestError: missing, damaged, of another method or shape.
    """
    weights = read_weights(path)
    if weights.architecture is None:
        weights = replace(weights, architecture=_authors(weights), tensors=_our_tensors(weights.tensors))
    network = ArbSR(read_architecture(LteArchitecture, weights, method="lte"))
    load_into(network, weights.tensors, path)
    return network


def _authors(weights: Weights) -> dict[str, Any]:
    """The architecture of a published checkpoint; its neighbours are weighted as the authors' code does it."""
    said = authors_model(weights, name="lte", options={"hidden_dim": LteArchitecture().hidden})
    width = said.options["hidden_dim"]
    layers = said.hidden if said.hidden is not None else (width,) * LteArchitecture().layers
    if set(layers) != {width}:
        raise RequestError(
            f"{weights.path}: an MLP of widths {', '.join(map(str, layers))} on {width} coefficients; this version has "
            "one width for both"
        )
    return {"blocks": said.blocks, "width": said.width, "hidden": width, "layers": len(layers), "ensemble": "area"}


def _our_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Under our names; the authors' frequency channels are (y, x) pairs, ours all of y and then all of x."""
    named = with_our_names(tensors, ("coef", "freq", "phase", "imnet"))
    for name in ("decoder.freq.weight", "decoder.freq.bias"):
        if name in named:
            named[name] = torch.cat((named[name][0::2], named[name][1::2]))
    return named
