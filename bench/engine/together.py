"""Images of one size that go through a method together, where it can take several: the turn of each stays its own.

What is computed ahead of its turn is kept until then, so records are written in the order of the plan and a fault costs
its own image.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.api import Protocol, Sample, Scale, UnitError, derive_seed
from bench.data import Pair
from bench.engine.inference import Inferred, Runner
from bench.engine.lookup import LookUp

MOST_PIXELS = 2**22
"""Of the results of a batch: one image of 2048 x 2048 goes alone, of 64 x 64 up to 1024 would fit."""

U = TypeVar("U")


class Together(Generic[U]):
    """The images of a cell, each computed in its turn or with the one whose turn it was."""

    def __init__(
        self,
        units: Iterable[U],
        sample: Callable[[U], Sample],
        read: Callable[[U], tuple[Pair, NDArray[np.float32]]],
    ) -> None:
        """Args: units: in order; sample, read: the image of one, and its pair and LR image."""
        self._coming = deque(units)
        self._sample, self._read = sample, read
        self._pairs: dict[str, tuple[Pair, NDArray[np.float32]]] = {}
        self._done: dict[str, Inferred] = {}
        self._alone = 0

    def infer(
        self, method: Runner | LookUp, unit: U, protocol: Protocol, *, scale: Scale, seed: int
    ) -> tuple[Pair, NDArray[np.float32], Inferred]:
        """One image, its pair and its LR image.

        Args:
            method: Computes it.
            unit: Whose turn it is.
            protocol: As for `Runner.infer`.
            scale: Nominal scale.
            seed: The run's seed.
        Raises:
            UnitError: it cannot be read or computed.
        """
        image = self._sample(unit).id
        while self._coming and self._sample(self._coming.popleft()).id != image:
            pass
        pair, lr = self._pairs.pop(image, None) or self._read(unit)
        if image in self._done:
            return pair, lr, self._done.pop(image)
        self._alone = max(self._alone - 1, 0)
        names = [image] if self._alone else [image, *self._alike(method, pair, lr)]
        if len(names) > 1 and isinstance(method, Runner):
            pairs = [(pair, lr), *(self._pairs[name] for name in names[1:])]
            seeds = [derive_seed(seed, name) for name in names]
            try:
                results = method.infer_batch(pairs, protocol, seeds=seeds)
            except UnitError:
                self._alone = len(names)  # one by one, so that what is wrong with one image is said of that one
            else:
                self._done.update(zip(names[1:], results[1:], strict=True))
                return pair, lr, results[0]
        seed = derive_seed(seed, image)
        made = method.infer(lr, pair.asked, protocol, image=image, scale=scale, seed=seed, keep=pair.size)
        return pair, lr, made

    def _alike(self, method: Runner | LookUp, pair: Pair, lr: NDArray[np.float32]) -> list[str]:
        """The next images that may go with this one: as many as the method takes, up to the first of another size."""
        most = min(method.batch, MOST_PIXELS // (pair.asked[0] * pair.asked[1]))
        names: list[str] = []
        for unit in islice(self._coming, max(most - 1, 0)):
            name = self._sample(unit).id
            try:
                other = self._pairs[name] = self._pairs.get(name) or self._read(unit)
            except UnitError:
                break  # it fails with this reason in its turn
            if other[1].shape != lr.shape or other[0].asked != pair.asked:
                break
            names.append(name)
        return names
