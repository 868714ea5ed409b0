"""The adapter of LIIF to the harness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.api import Size
from bench.weights.reader import Weights, load_into, read_architecture, read_weights
from methods.blocks.adapter import ContinuousMethod
from methods.blocks.liif_format import authors_model, with_our_names
from methods.liif.architecture import LiifArchitecture
from methods.liif.info import LIIF as SPEC
from methods.liif.info import LiifOptions
from methods.liif.network import LIIFNetwork


class LIIF(ContinuousMethod[LiifOptions]):
    """Any size by one network; deterministic."""

    info = SPEC.info
    spec = SPEC
    Options = LiifOptions

    def read(self, weights: Path) -> LIIFNetwork:
        """See `load_network`."""
        return load_network(weights)

    def run(self, network: LIIFNetwork, lr: torch.Tensor, size: Size, cell: torch.Tensor) -> torch.Tensor:
        """See `ContinuousMethod.run`."""
        return network.upsample(lr * 2 - 1, size, chunk=self.options.chunk, cell=cell)


def load_network(path: Path) -> LIIFNetwork:
    """The network in a weights file, on the CPU in float32.

    Args:
        path: A file made by `bench train liif`, or a published LIIF checkpoint (EDSR-baseline).
    Raises:
        RequestError: missing, damaged, of another method or shape.
    """
    weights = read_weights(path)
    if weights.architecture is None:
        tensors = with_our_names(weights.tensors, ("imnet",))
        weights = replace(weights, architecture=_authors(weights), tensors=tensors)
    network = LIIFNetwork(read_architecture(LiifArchitecture, weights, method="liif"))
    load_into(network, weights.tensors, path)
    return network


def _authors(weights: Weights) -> dict[str, Any]:
    """The architecture of a published checkpoint."""
    switches = {"feat_unfold": True, "cell_decode": True, "local_ensemble": True}
    said = authors_model(weights, name="liif", options=switches)
    return {
        "blocks": said.blocks,
        "width": said.width,
        "hidden": said.hidden if said.hidden is not None else LiifArchitecture().hidden,
        "unfold": said.options["feat_unfold"],
        "cell_decode": said.options["cell_decode"],
        "local_ensemble": said.options["local_ensemble"],
    }
