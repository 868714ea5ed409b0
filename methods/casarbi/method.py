"""The adapter of CasArbi to the harness."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.api import Method, MethodOptions, RequestError, Size, Upscaled, derive_seed
from bench.weights.reader import read_network
from methods.casarbi.architecture import CasArbiArchitecture
from methods.casarbi.cascade import Sampling, upscale
from methods.casarbi.info import CASARBI as SPEC
from methods.casarbi.info import CasArbiOptions
from methods.casarbi.network import CasArbi


class CasArbiMethod(Method):
    """A cascade of stages; stochastic, and the same for the same seed."""

    info = SPEC.info
    Options = CasArbiOptions
    options: CasArbiOptions

    def __init__(self, options: MethodOptions | None = None) -> None:
        super().__init__(options)
        if not isinstance(self.options, CasArbiOptions):
            raise RequestError(f"casarbi takes CasArbiOptions, got {type(self.options).__name__}")
        self.network: CasArbi | None = None
        self._device, self._dtype = torch.device("cpu"), torch.float32
        self.sampling = Sampling(**self.options.model_dump(exclude={"samples"}))

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Build the network that the file describes and fill it.

        Raises:
            RequestError: no file, damaged, or of another method or shape.
        """
        if weights is None:
            raise RequestError(f"casarbi needs weights; {SPEC.weights_how}")
        network = load_network(weights).to(device=device, dtype=dtype)
        self.network = network.to(memory_format=torch.channels_last).eval()  # a fifth faster on a CPU
        self._device, self._dtype = device, dtype

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """See `Method.upscale`. The stages are those of the cascade; of several samples, their standard deviation.

        Raises:
            RequestError: before `load`, or a size below that of the LR image.
        """
        if self.network is None:
            raise RequestError("casarbi was asked for an image before its weights were loaded")
        if size[0] < lr.shape[-2] or size[1] < lr.shape[-1]:
            raise RequestError(
                f"casarbi enlarges: expected a size of at least {lr.shape[-2]} x {lr.shape[-1]} (height x width), got "
                f"{size[0]} x {size[1]}"
            )
        image = lr[None].to(self._device, self._dtype) * 2 - 1
        if self.options.samples == 1:
            stages = self._cascade(image, size, seed)
            return Upscaled(stages[-1] if stages else lr.float().clone(), tuple(stages))
        total, squares = 0.0, 0.0
        for number in range(self.options.samples):
            stages = self._cascade(image, size, derive_seed(seed, "sample", number))
            one = stages[-1].double() if stages else lr.double()
            total, squares = total + one, squares + one**2
        mean = torch.as_tensor(total / self.options.samples)
        spread = (squares / self.options.samples - mean**2).clamp_min(0).sqrt()
        return Upscaled(mean.float(), (spread.float(),))

    def _cascade(self, image: torch.Tensor, size: Size, seed: int) -> list[torch.Tensor]:
        assert self.network is not None
        with torch.inference_mode():
            found = upscale(self.network, image, size, seed=seed, sampling=self.sampling)
        return [each[0].div(2).add(0.5).float() for each in found]


def load_network(path: Path) -> CasArbi:
    """The network in a weights file, on the CPU in float32.

    Raises:
        RequestError: missing, damaged, of another method or shape.
    """
    return read_network(path, CasArbiArchitecture, CasArbi, method="casarbi")
