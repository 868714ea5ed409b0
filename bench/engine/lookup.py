"""Images that a method looks up and does not compute, read without torch: what scoring a folder spends its start on."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bench.api import ComingUnit, Protocol, Scale, Size, Sought, UnitError
from bench.engine.choice import MethodChoice
from bench.engine.faults import attributed
from bench.engine.inference import Inferred, Runner, slack_of
from bench.engine.request import is_cuda
from bench.engine.returned import require_shape
from bench.engine.rounding import quantise


class LookUp:
    """A method whose spec names a `reader`, in the place of a `Runner`."""

    notes: tuple[str, ...] = ()
    batch = 1

    def __init__(self, choice: MethodChoice) -> None:
        """Args: choice: Its options go to the reader; there are no weights."""
        self.choice = choice

    def prepare(self, units: Iterable[ComingUnit], protocol: Protocol, *, scale: Scale, seed: int) -> None:
        """Nothing: an image is looked up in its turn; arguments as `Runner.prepare`."""

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
        """The image of a unit; arguments, result and errors as `Runner.infer`."""
        spec = self.choice.spec
        reader = spec.reader
        if reader is None:
            raise UnitError(f"{self.choice.name} has no reader")
        slack = slack_of(spec, protocol)
        height, width = size if keep is None else keep
        started = time.perf_counter()
        with attributed(spec):
            planes = reader(self.choice.options, Sought(image, scale, lr, size, slack, protocol.alpha))
        _require_planes(planes, size, self.choice.name, slack=slack)
        pixels = quantise(planes[:, :height, :width], protocol)
        return Inferred(pixels, None, (), time.perf_counter() - started)


def open_method(choice: MethodChoice, *, device: str, tile: int | None, planned: str) -> Runner | LookUp:
    """What gives the images of a row: its reader where the method only looks them up, else the loaded method.

    Args:
        choice: The row.
        device, tile, planned: As for `Runner`.
    Raises:
        RequestError: as `Runner`.
    """
    if choice.spec.reader is not None and not is_cuda(device):  # only torch can tell that there is none
        return LookUp(choice)
    return Runner(choice, device=device, tile=tile, planned=planned)


def _require_planes(planes: NDArray[np.float32], size: Size, name: str, *, slack: int) -> None:
    require_shape(planes.shape, size, name, slack=slack)
    if not np.isfinite(planes.sum(dtype=np.float64)):
        raise UnitError(f"{name} returned NaN or infinite values")
