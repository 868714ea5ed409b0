"""Bytes of the tensors that live at one time: what a computation holds, whatever an allocator keeps beside it.

On torch's meta device nothing is computed, so the peak of a canvas that would take an hour is known in seconds.
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """A context that counts the tensors that are made within it.

    Attributes:
        bytes: Of those that live now; views count once.
        peak: The most that lived at one time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._holders: Counter[int] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operation and count what it makes."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            # of a sparse one, the indices and values are tensors of their own
            if isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided:
                storage = tensor.untyped_storage()
                self._hold(storage._cdata, storage.nbytes())
                weakref.finalize(tensor, self._release, storage._cdata, storage.nbytes())
        return result

    def _hold(self, key: int, size: int) -> None:
        self._holders[key] += 1
        if self._holders[key] == 1:
            self.bytes += size
            self.peak = max(self.peak, self.bytes)

    def _release(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if not self._holders[key]:
            self.bytes -= size
