"""The part of a harness adapter that the continuous methods share: options, devices, value ranges."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch

from bench.api import Method, MethodOptions, MethodSpec, RequestError, Size, Upscaled
from methods.blocks.coordinates import clipped_cell
from methods.blocks.options import ContinuousOptions

AnyOptions = TypeVar("AnyOptions", bound=ContinuousOptions)


class ContinuousMethod(Method, Generic[AnyOptions]):
    """Any size by one deterministic network on images in [0, 1]; generic in the class of its options."""

    spec: ClassVar[MethodSpec]
    options: AnyOptions

    def __init__(self, options: MethodOptions | None = None) -> None:
        super().__init__(options)
        if not isinstance(self.options, self.Options):
            raise RequestError(f"{self.info.name} takes {self.Options.__name__}, got {type(self.options).__name__}")
        self.network: torch.nn.Module | None = None
        self._device, self._dtype = torch.device("cpu"), torch.float32

    @abstractmethod
    def read(self, weights: Path) -> torch.nn.Module:
        """The network in a weights file, on the CPU; raises RequestError."""

    @abstractmethod
    def run(self, network: Any, lr: torch.Tensor, size: Size, cell: torch.Tensor) -> torch.Tensor:
        """(1, 3, h, w) in [0, 1] to (1, 3, H, W) in [-1, 1]; the result may be overwritten."""

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Build the network that the file describes and fill it.

        Raises:
            RequestError: no file, damaged, or of another method or shape.
        """
        if weights is None:
            raise RequestError(f"{self.info.name} needs weights; {self.spec.weights_how}")
        self.network = self.read(weights).to(device=device, dtype=dtype).eval()
        self._device, self._dtype = device, dtype

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """See `Method.upscale`; the seed is not used."""
        if self.network is None:
            raise RequestError(f"{self.info.name} was asked for an image before its weights were loaded")
        image = lr[None].to(self._device, self._dtype)
        with torch.inference_mode():
            cell = clipped_cell(size, (lr.shape[-2], lr.shape[-1]), self.options.cell_clip, device=self._device)
            result = self.run(self.network, image, size, cell)[0]
            result = result.div_(2).add_(0.5).float()
        return Upscaled(result)
