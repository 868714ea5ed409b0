"""What the benchmarks of cascades share: CPU time, memory, and an image to spend them on."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bench.api import Size


def arguments(about: str | None, *, weights: Path, scales: str, side: int) -> argparse.ArgumentParser:
    """The options that all of them take, with their defaults."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--weights", type=Path, default=weights)
    parser.add_argument("--scales", default=scales)
    parser.add_argument("--side", type=int, default=side, help="of the LR image")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def least(run: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the cheapest of several runs."""
    spent = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        spent.append(time.process_time() - started)
    return min(spent)


def peak() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def photograph(size: Size) -> torch.Tensor:
    """Structure at several sizes and noise, (1, 3, h, w) in [-1, 1]."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: size[0], : size[1]]
    waves = np.stack([0.4 * np.sin(x / a) * np.cos(y / b) for a, b in ((7, 11), (23, 5), (3, 40))])
    return torch.from_numpy((waves + rng.normal(0, 0.06, waves.shape)).clip(-1, 1)[None]).float()
