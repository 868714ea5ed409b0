"""The adapter of LTE to the harness."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from bench.api import Size
from bench.weights.reader import read_network
from methods.blocks.adapter import ContinuousMethod
from methods.blocks.arbsr import ArbSR, ArbSRArchitecture
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

    Raises:
        RequestError: missing, damaged, of another method or shape.
    """
    return read_network(path, LteArchitecture, ArbSR, method="lte")
