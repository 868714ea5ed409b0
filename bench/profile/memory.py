"""Peak memory of this process: resident pages on a CPU, what torch's allocator held on a GPU.

`getrusage` cannot be used for the former: on Linux its maximum survives `exec`, so that a child begins with its
parent's. `/proc` keeps a mark of its own per process, which can be set back.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

_STATUS, _MARKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""What the kernel takes for setting VmHWM back to VmRSS (proc(5))."""


class Meter(Protocol):
    """Measures the memory of this process, in bytes."""

    kind: str
    """What is measured, for a note below a table."""

    def now(self) -> int:
        """What is held at present."""
        ...

    def reset(self) -> bool:
        """Begin anew; False where this system only tells the peak since the process began."""
        ...

    def peak(self) -> int:
        """The most that was held since `reset`."""
        ...


class Resident:
    """Pages of the process in memory: Python, libraries and weights included."""

    kind = "resident memory of a process of its own"

    def now(self) -> int:
        """VmRSS; the peak so far where there is no /proc."""
        return _status("VmRSS") or self.peak()

    def reset(self) -> bool:
        """See `Meter.reset`."""
        try:
            _MARKS.write_text(_RESET_PEAK, encoding="ascii")
        except OSError:
            return False
        return True

    def peak(self) -> int:
        """VmHWM."""
        known = _status("VmHWM")
        if known:
            return known
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Allocated:
    """Tensors on a GPU as torch's allocator counts them, without the driver's own share."""

    kind = "tensors allocated on the GPU"

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def now(self) -> int:
        """See `Meter.now`."""
        import torch

        return torch.cuda.memory_allocated(self._device)

    def reset(self) -> bool:
        """See `Meter.reset`."""
        import torch

        torch.cuda.reset_peak_memory_stats(self._device)
        return True

    def peak(self) -> int:
        """See `Meter.peak`."""
        import torch

        return torch.cuda.max_memory_allocated(self._device)


def meter_of(device: torch.device) -> Meter:
    """The meter of a device."""
    return Allocated(device) if device.type == "cuda" else Resident()


def _status(name: str) -> int:
    """A line of /proc/self/status in bytes; 0 where there is none."""
    try:
        lines = _STATUS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
