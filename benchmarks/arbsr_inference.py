"""An arbitrary-scale method on a 256 x 144 image, as typed at a prompt: seconds per output megapixel, peak memory.

Run: python benchmarks/arbsr_inference.py [METHOD] [--scales 4,30] [--weights FILE] [--threads 2]
At the smallest scale windowed features (the default) stand beside those of the whole image at once. Each row is a
process of its own; its peak memory is that of the whole process, imports, PNG files and all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

_WIDTH, _HEIGHT = 256, 144
_WINDOW = 48
"""Side of the LR windows of the windowed row at the smallest scale: 18 of them."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", nargs="?", default="lte")
    parser.add_argument("--scales", default="4,30")
    parser.add_argument("--weights", help="a file instead of the shipped ones")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    scales = sorted(float(scale) for scale in options.scales.split(","))
    shared = ["--weights", options.weights] if options.weights else []
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "in.png"
        Image.fromarray(photograph()).save(image)
        tiny = Path(folder) / "tiny.png"
        Image.fromarray(photograph()[:9, :16]).save(tiny)
        print(f"{options.method}, {_WIDTH} x {_HEIGHT}, {options.threads} threads")
        print(f"{'output':>12}{'features':>24}{'wall s':>9}{'CPU s':>9}{'s/MP':>8}{'peak GB':>9}")
        started = row(options.method, tiny, (32, 18), shared, "the start alone", options.threads)
        whole = [*shared, "--set", f"{options.method}.tile=null"]
        windows = [*shared, "--set", f"{options.method}.tile={_WINDOW}"]
        least = (round(_WIDTH * scales[0]), round(_HEIGHT * scales[0]))
        at_once = row(options.method, image, least, whole, "whole image at once", options.threads)
        tiled = row(options.method, image, least, windows, f"windows of {_WINDOW}", options.threads)
        print(f"{'windowed / whole, without the start':>45}{(tiled - started) / (at_once - started):9.2f}")
        for scale in scales[1:]:
            size = (round(_WIDTH * scale), round(_HEIGHT * scale))
            row(options.method, image, size, shared, "default windows", options.threads)


def row(method: str, image: Path, size: tuple[int, int], extra: list[str], label: str, threads: int) -> float:
    """Run one `bench upscale`, print its row and return its wall seconds."""
    wide, high = size
    command = [sys.executable, "-m", "bench", "upscale", method, str(image), str(image.with_name(f"{wide}.png"))]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--size", f"{wide}x{high}", *extra],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{' '.join(command)} failed; its message stands above")
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024**2
    per = wall / (wide * high / 1e6)
    print(f"{f'{wide}x{high}':>12}{label:>24}{wall:9.1f}{cpu:9.1f}{per:8.1f}{peak:9.2f}", flush=True)
    return wall


def photograph() -> np.ndarray:
    """Structure at several sizes and noise, uint8 (144, 256, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    waves = [128 + 50 * np.sin(x / a) * np.cos(y / b) for a, b in ((7, 11), (23, 5), (3, 40))]
    return (np.stack(waves, axis=2) + rng.normal(0, 8, (_HEIGHT, _WIDTH, 3))).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
