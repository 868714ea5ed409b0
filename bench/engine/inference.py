"""Running a method on one image: loading, device, the call, and rounding. What it raises becomes a failed unit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.api import (
    BenchError,
    ComingUnit,
    Method,
    MethodSpec,
    Protocol,
    RequestError,
    Scale,
    Size,
    UnitError,
    Upscaled,
    counted,
)
from bench.data import Pair
from bench.engine.choice import MethodChoice
from bench.engine.faults import attributed, describe, same_folder
from bench.engine.keys import weights_hash
from bench.engine.request import check_device, is_cuda
from bench.engine.returned import as_upscaled, require_finite, require_image, require_possible
from bench.engine.rounding import Pixels, quantise
from bench.engine.tiled import upscale
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
            device: auto, cpu, cuda or cuda:N.
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
            with same_folder():
                self.method.load(choice.weights, torch.device(self.device), torch.float32)
        except (BenchError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            raise RequestError(f"method {choice.name} could not be loaded: {describe(fault, choice.spec)}") from fault
        # asked for after loading, so that what was read cannot be newer than what is compared
        if planned is not None and weights_hash(choice.spec, choice.weights) != planned:
            raise RequestError(
                f"the weights of {choice.name} changed while the run was under way: {choice.weights} holds other bytes "
                "than when its results were planned; type the same command again, finished work is kept"
            )

    def prepare(self, units: Iterable[ComingUnit], protocol: Protocol, *, scale: Scale, seed: int) -> None:
        """Tell the method which images come next.

        Args:
            units: Of one dataset, read while they are iterated over.
            protocol: Says how exact the size of an image made elsewhere must be.
            scale: Nominal scale.
            seed: The run's seed.
        Raises:
            UnitError: the method raised.
        """
        import torch

        self.method.slack = slack_of(self.choice.spec, protocol)
        with attributed(self.choice.spec), torch.inference_mode():
            self.method.prepare(units, scale=scale, seed=seed)

    def infer(
        self,
        lr: NDArray[np.float32],
        size: Size,
        protocol: Protocol,
        *,
        image: str,
        scale: Scale,
        seed: int,
        keep: Size | None = None,
    ) -> Inferred:
        """Compute one image.

        Args:
            lr: float32 (h, w, 3) in [0, 1].
            size: (height, width) wanted.
            protocol: Says how SR is rounded, whether it is a luma plane, and how exact the size of an image made
                elsewhere must be.
            image: Image id.
            scale: Nominal scale.
            seed: The unit's seed.
            keep: (height, width) of the part of the result, from the top left, that is kept; None: `size`.
        Raises:
            UnitError: the method raised, or returned another size, NaN or infinities; or the size is beyond any image.
        """
        import torch

        require_possible(size)
        tensor = as_tensor(lr)
        spec = self.choice.spec
        slack = self.method.slack = slack_of(self.choice.spec, protocol)

        def call(part: torch.Tensor, part_size: Size) -> Upscaled:
            result = as_upscaled(self.method.upscale(part, part_size, seed=seed), self.choice.name)
            require_image(result.image, part_size, self.choice.name, slack=slack)
            return result

        started = time.perf_counter()
        with attributed(spec):
            self.method.begin(image=image, scale=scale)
            with torch.inference_mode():
                result = upscale(call, spec.info.tiling, tensor, size, tile=self.tile)
                sr = _on_cpu(result.image, size if keep is None else keep)
        return self._inferred(sr, result, protocol, time.perf_counter() - started)

    def infer_batch(
        self, pairs: Sequence[tuple[Pair, NDArray[np.float32]]], protocol: Protocol, *, seeds: Sequence[int]
    ) -> list[Inferred]:
        """Compute images of one size together; each is shared out an equal part of the time.

        Args:
            pairs: With their LR images, all of one size and asked for at one size; at most `batch`.
            protocol: As for `infer`.
            seeds: The units' seeds.
        Raises:
            UnitError: as `infer`, of any of the images.
        """
        size, slack = pairs[0][0].asked, slack_of(self.choice.spec, protocol)
        require_possible(size)
        self.method.slack = slack
        started = time.perf_counter()
        results = self.call_batch([as_tensor(lr) for _, lr in pairs], size, seeds=seeds)
        images = []
        for (pair, _), result in zip(pairs, results, strict=True):
            require_image(result.image, size, self.choice.name, slack=slack)
            images.append(_on_cpu(result.image, pair.size))
        seconds = (time.perf_counter() - started) / len(pairs)
        return [self._inferred(image, result, protocol, seconds) for image, result in zip(images, results, strict=True)]

    def _inferred(self, sr: torch.Tensor, result: Upscaled, protocol: Protocol, seconds: float) -> Inferred:
        """The image as it is stored, once it is known to be finite."""
        require_finite(sr, self.choice.name)
        return Inferred(quantise(sr.numpy(), protocol), result.tile, tuple(result.stages), seconds)

    def call_batch(self, lrs: Sequence[torch.Tensor], size: Size, *, seeds: Sequence[int]) -> list[Upscaled]:
        """What the method itself returns for several images of one size, as `call`.

        Args:
            lrs: (3, h, w) each.
            size: (height, width) wanted of all.
            seeds: The units' seeds.
        Raises:
            UnitError: the method raised, or returned another number of results or no `Upscaled`.
        """
        import torch

        with attributed(self.choice.spec):
            with torch.inference_mode():
                results = list(self.method.upscale_batch(torch.stack(list(lrs)), size, seeds=seeds))
            if len(results) != len(lrs):
                raise UnitError(f"{self.choice.name} returned {len(results)} results for a batch of {len(lrs)} images")
            return [as_upscaled(result, self.choice.name) for result in results]

    def call(self, lr: torch.Tensor, size: Size, *, image: str, scale: Scale, seed: int) -> Upscaled:
        """What the method itself returns for one image: untiled, its size and values not looked at.

        Args:
            lr: (3, h, w), given to the method as it is.
            size: (height, width) wanted.
            image: Image id.
            scale: Nominal scale.
            seed: The unit's seed.
        Raises:
            UnitError: the method raised, or returned no `Upscaled`.
        """
        import torch

        with attributed(self.choice.spec):
            self.method.begin(image=image, scale=scale)
            with torch.inference_mode():
                return as_upscaled(self.method.upscale(lr, size, seed=seed), self.choice.name)

    @property
    def batch(self) -> int:
        """LR images of one size that it computes together; 1 where tiles were asked for."""
        return max(1, self.method.batch) if self.tile is None else 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of what was loaded."""
        return self.method.notes


def _on_cpu(image: torch.Tensor, keep: Size) -> torch.Tensor:
    """The top left (height, width) of an image, float32 in this machine's memory; waits for the device."""
    import torch

    return image.detach()[:, : keep[0], : keep[1]].to("cpu", torch.float32).resolve_neg()


def slack_of(spec: MethodSpec, protocol: Protocol) -> int:
    """Pixels by which a side of this method's images may be off."""
    return protocol.slack if spec.elsewhere else 0


def as_tensor(lr: NDArray[np.float32]) -> torch.Tensor:
    """(h, w, 3) as methods take it: (3, h, w)."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(lr.transpose(2, 0, 1)))


def resolve_device(device: str) -> str:
    """auto -> cuda where there is one.

    Raises:
        RequestError: cuda was asked for and is not there, or the name is unknown.
    """
    import torch

    if is_cuda(check_device(device)):
        if not torch.cuda.is_available():
            raise RequestError(f"--device {device}: torch sees no CUDA device here; use --device cpu")
        count = torch.cuda.device_count()
        if int(device.partition(":")[2] or 0) >= count:
            raise RequestError(
                f"--device {device}: torch sees {counted(count, 'CUDA device')}, the last is cuda:{count - 1}"
            )
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _build(choice: MethodChoice) -> Method:
    try:
        return method_class(choice.spec)(choice.options)
    except (BenchError, KeyboardInterrupt):
        raise
    except BaseException as fault:
        raise RequestError(f"method {choice.name} cannot be built: {describe(fault, choice.spec)}") from fault
