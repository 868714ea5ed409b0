"""The adapter of the blind arbitrary-scale model to the harness."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.api import Size
from bench.weights.reader import read_network
from methods.blind_assr.architecture import BlindArchitecture
from methods.blind_assr.info import BLIND_ASSR as SPEC
from methods.blind_assr.info import BlindOptions
from methods.blind_assr.network import BlindASSR
from methods.blocks.adapter import ContinuousMethod


class BlindASSRMethod(ContinuousMethod[BlindOptions]):
    """Any size by one network that adapts to the image's degradation; deterministic."""

    info = SPEC.info
    spec = SPEC
    Options = BlindOptions

    def read(self, weights: Path) -> BlindASSR:
        """See `load_network`."""
        return load_network(weights)

    def run(self, network: BlindASSR, lr: torch.Tensor, size: Size, cell: torch.Tensor) -> torch.Tensor:
        """See `ContinuousMethod.run`."""
        options = self.options
        return network.upsample(
            lr,
            size,
            chunk=options.chunk,
            cell=cell,
            tile=options.tile,
            window=options.z_window,
            signed=options.encoder_range == "signed",
        )


def load_network(path: Path) -> BlindASSR:
    """The network in a weights file, on the CPU in float32.

    Raises:
        RequestError: missing, damaged, of another method or shape.
    """
    return read_network(path, BlindArchitecture, BlindASSR, method="blind_assr", stage="sr")
