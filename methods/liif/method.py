"""The adapter of LIIF to the harness."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.api import Size
from bench.weights.reader import Weights, load_into, read_architecture, read_weights
from methods.blocks.adapter import ContinuousMethod
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
    network = LIIFNetwork(read_architecture(LiifArchitecture, weights, method="liif"))
    load_into(network, _our_names(weights), path)
    return network


def _our_names(weights: Weights) -> dict[str, torch.Tensor]:
    """Published checkpoints keep the MLP at the top and two mean shifts that are never applied."""
    if weights.architecture is not None:
        return dict(weights.tensors)
    unused = ("encoder.sub_mean.", "encoder.add_mean.")
    return {
        name.replace("imnet.", "decoder.imnet.", 1) if name.startswith("imnet.") else name: tensor
        for name, tensor in weights.tensors.items()
        if not name.startswith(unused)
    }
