"""The adapter of LIIF to the harness."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.api import Method, MethodOptions, RequestError, Size, Upscaled
from methods.blocks.coordinates import clipped_cell
from methods.blocks.weights import Weights, load_into, read_architecture, read_weights
from methods.liif.architecture import LiifArchitecture
from methods.liif.info import LIIF as SPEC
from methods.liif.info import LiifOptions
from methods.liif.network import LIIFNetwork


class LIIF(Method):
    """Any size by one network; deterministic."""

    info = SPEC.info
    Options = LiifOptions

    def __init__(self, options: MethodOptions | None = None) -> None:
        super().__init__(options)
        if not isinstance(self.options, LiifOptions):
            raise RequestError(f"liif takes LiifOptions, got {type(self.options).__name__}")
        self.chunk, self.cell_clip = self.options.chunk, self.options.cell_clip
        self.network: LIIFNetwork | None = None
        self._device, self._dtype = torch.device("cpu"), torch.float32

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Build the network that the file describes and fill it.

        Raises:
            RequestError: no file, damaged, or of another shape.
        """
        if weights is None:
            raise RequestError(f"liif needs weights; {SPEC.weights_how}")
        self.network = load_network(weights).to(device=device, dtype=dtype).eval()
        self._device, self._dtype = device, dtype

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """See `Method.upscale`; the seed is not used."""
        if self.network is None:
            raise RequestError("liif was asked for an image before its weights were loaded")
        image = lr[None].to(self._device, self._dtype) * 2 - 1
        with torch.inference_mode():
            cell = clipped_cell(size, (lr.shape[-2], lr.shape[-1]), self.cell_clip, device=self._device)
            result = self.network.upsample(image, size, chunk=self.chunk, cell=cell)
        return Upscaled((result[0] / 2 + 0.5).float())


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
