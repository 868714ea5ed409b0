"""Running a method on one image: loading, device, tiling, and the checks on what comes back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.api import BenchError, Method, Protocol, RequestError, Size, Tiling, UnitError, Upscaled
from bench.engine.keys import weights_hash
from bench.engine.request import MethodChoice, check_device
from bench.engine.rounding import Pixels, quantise
from bench.plugins import method_class

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Inferred:
    """An SR image, rounded as the protocol says.

    Attributes:
        pixels: (H, W, 3), or (H, W) under a luma protocol; uint8, or uint16 where SR is scored unrounded.
        tile: LR tile side that was used, None for whole.
        stages: float32 (3, h, w) tensors of a cascade.
        seconds: Time in the method.
    """

    pixels: Pixels
    tile: int | None
    stages: tuple[torch.Tensor, ...]
    seconds: float


class Runner:
    """A loaded method."""

    def __init__(
        self, choice: MethodChoice, *, device: str = "auto", tile: int | None = None, planned: str | None = None
    ) -> None:
        """Import the method, read its weights and move it to the device.

        Args:
            choice: What to load.
            device: auto, cpu or cuda.
            tile: LR tile side to use from the start, for methods that allow tiling.
            planned: `weights_hash` of the weights that the keys of the results name; None: there are no keys.
        Raises:
            RequestError: the code cannot be imported, weights are damaged or not those that were planned with, or the
                device is not there.
        """
        import torch

        self.choice = choice
        self.tile = tile
        self.device = resolve_device(device)
        self.method = _build(choice)
        try:
            self.method.load(choice.weights, torch.device(self.device), torch.float32)
        except BenchError:
            raise
        except Exception as fault:
            raise RequestError(f"method {choice.name} could not be loaded: {type(fault).__name__}: {fault}") from fault
        # asked for after loading, so that what was read cannot be newer than what is compared
        if planned is not None and weights_hash(choice.spec, choice.weights) != planned:
            raise RequestError(
                f"the weights of {choice.name} changed while the run was under way: {choice.weights} holds other bytes "
                "than when its results were planned; type the same command again, finished work is kept"
            )

    def infer(
        self, lr: NDArray[np.float32], size: Size, protocol: Protocol, *, image: str, scale: float, seed: int
    ) -> Inferred:
        """Compute one image.

        Args:
            lr: float32 (h, w, 3) in [0, 1].
            size: (height, width) wanted.
            protocol: Says how SR is rounded, and whether it is a luma plane.
            image: Image id.
            scale: Nominal scale.
            seed: The unit's seed.
        Raises:
            UnitError: the method raised, or returned another size, NaN or infinities.
        """
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(lr.transpose(2, 0, 1)))
        started = time.perf_counter()
        try:
            self.method.begin(image=image, scale=scale)
            with torch.inference_mode():
                result = self._upscale(tensor, size, seed)
                sr = _floating(result.image, self.choice.name)
        except UnitError:
            raise
        except (Exception, SystemExit) as fault:
            raise UnitError(f"{self.choice.name} raised {type(fault).__name__}: {fault}") from fault
        seconds = time.perf_counter() - started
        _check(sr, size, self.choice.name)
        return Inferred(quantise(sr.numpy(), protocol), result.tile, tuple(result.stages), seconds)

    def _upscale(self, lr: torch.Tensor, size: Size, seed: int) -> Upscaled:
        if self.choice.spec.info.tiling is not Tiling.SUPPORTED:
            return self.method.upscale(lr, size, seed=seed)
        from bench.imaging.tiling import with_backoff

        whole: list[Upscaled] = []

        def one(tile_lr: torch.Tensor, tile_size: Size) -> torch.Tensor:
            whole[:] = [self.method.upscale(tile_lr, tile_size, seed=seed)]
            return whole[0].image

        image, tile = with_backoff(one, lr, size, tile=self.tile)
        return Upscaled(image, whole[0].stages if tile is None else (), tile)


def resolve_device(device: str) -> str:
    """auto -> cuda where there is one.

    Raises:
        RequestError: cuda was asked for and is not there, or the name is unknown.
    """
    import torch

    if check_device(device) == "cuda" and not torch.cuda.is_available():
        raise RequestError("--device cuda: torch sees no CUDA device here; use --device cpu")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _build(choice: MethodChoice) -> Method:
    try:
        return method_class(choice.spec)(choice.options)
    except BenchError:
        raise
    except Exception as fault:
        raise RequestError(f"method {choice.name} cannot be built: {type(fault).__name__}: {fault}") from fault


def _floating(image: object, name: str) -> torch.Tensor:
    """The returned image as float32 on the CPU; whole numbers are refused, for nobody knows what their white is."""
    import torch

    if not isinstance(image, torch.Tensor):
        raise UnitError(f"{name} returned a {type(image).__name__}, expected a torch.Tensor of floating type in [0, 1]")
    if not image.is_floating_point():
        kind = str(image.dtype).removeprefix("torch.")
        raise UnitError(f"{name} returned {kind} values, expected floating ones in [0, 1]: divide by the largest value")
    return image.detach().to("cpu", torch.float32)


def _check(sr: torch.Tensor, size: Size, name: str) -> None:
    import torch

    wanted = (3, *size)
    if tuple(sr.shape) != wanted:
        raise UnitError(
            f"{name} returned shape {tuple(sr.shape)}, expected {wanted} (channels, height, width); nothing is resized "
            "silently: make the method return exactly the size it is asked for"
        )
    # NaN and infinities survive a sum, and a sum costs a tenth of looking at each value
    if not bool(torch.isfinite(sr.sum(dtype=torch.float64))):
        bad = int((~torch.isfinite(sr)).sum())
        raise UnitError(f"{name} returned NaN or infinite values in {bad} of {sr.numel()} places")
