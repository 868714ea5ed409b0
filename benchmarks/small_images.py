"""Many small images: CPU time per image of a whole run beside its bare arithmetic, and what batches change.

    python benchmarks/small_images.py [--counts 1000,3000] [--side 64] [--scale 2]
    python benchmarks/small_images.py --batches liif,lte [--side 64] [--scale 2] [--device cpu]

The first is a bicubic run with psnr in one process against a loop that reads, makes LR, enlarges, rounds and compares.
The second sends images of one size through a network eight at a time and one by one, by turns.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.imaging import imresize, imresize_u8, read_image, write_png
from bench.metrics.psnr import psnr

_BATCH, _TURNS = 8, 3


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,3000")
    parser.add_argument("--side", type=int, default=64, help="of an LR image")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--batches", default="", help="methods of one continuous network, separated by commas")
    parser.add_argument("--device", default="cpu")
    words = parser.parse_args()
    if words.batches:
        print(f"{'method':12}{'alone s':>9}{'batch s':>9}{'ratio':>7}{'other values':>14}{'largest':>10}")
        for name in words.batches.split(","):
            batches(name, words.side, words.scale, words.device)
        return
    print(f"{'images':>7}{'CPU s':>8}{'ms each':>9}{'arithmetic':>12}")
    for count in (int(number) for number in words.counts.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), count, words.side, words.scale)


def run(folder: Path, count: int, side: int, scale: int) -> None:
    """Print the row of one number of images."""
    images = folder / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (side // 8, side // 8, 3), np.uint8)
        write_png(images / f"{number:05}.png", np.clip(imresize(coarse, (side * scale,) * 2), 0, 255).astype(np.uint8))
    command = [sys.executable, "-m", "bench", "run", "--methods", "bicubic", "--datasets", str(images)]
    command += ["--scales", str(scale), "--metrics", "psnr", "--workers", "0", "--out", str(folder / "run")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    started = time.process_time()
    for path in sorted(images.iterdir()):
        hr = read_image(path).pixels
        sr = imresize(imresize_u8(hr, (side, side)) / 255, (side * scale,) * 2)
        psnr(np.clip(sr * 255 + 0.5, 0, 255).astype(np.uint8), hr)
    bare = time.process_time() - started
    print(f"{count:7}{whole:8.1f}{whole / count * 1e3:9.2f}{bare / count * 1e3:12.2f}", flush=True)


def batches(name: str, side: int, scale: int, device: str) -> None:
    """Print the row of one method."""
    import torch

    from bench.engine.choice import choose_methods
    from bench.engine.inference import Runner
    from methods.blocks.adapter import ContinuousMethod
    from methods.blocks.coordinates import clipped_cell

    torch.set_num_threads(1)
    method = Runner(choose_methods([name])[0], device=device).method
    if not isinstance(method, ContinuousMethod) or method.network is None:
        raise SystemExit(f"{name} is not one continuous network")
    network, size = method.network, (side * scale, side * scale)
    lrs = torch.rand(_BATCH, 3, side, side, generator=torch.Generator().manual_seed(0))

    def alone() -> torch.Tensor:
        return torch.stack([method.upscale(lr, size, seed=0).image for lr in lrs]).cpu()

    def together() -> torch.Tensor:
        with torch.inference_mode():
            cell = clipped_cell(size, (side, side), method.options.cell_clip, device=torch.device(device))
            return method.run(network, lrs.to(device), size, cell).div_(2).add_(0.5).float().cpu()

    apart = (alone() - together()).abs()
    taken = {alone: list[float](), together: list[float]()}
    for _ in range(_TURNS):
        for task, seconds in taken.items():
            started = time.process_time() if device == "cpu" else time.perf_counter()
            task()
            seconds.append((time.process_time() if device == "cpu" else time.perf_counter()) - started)
    one, many = min(taken[alone]), min(taken[together])
    share = float((apart > 0).float().mean())
    print(f"{name:12}{one:9.2f}{many:9.2f}{one / many:7.2f}{share:14.1%}{float(apart.max()):10.1e}", flush=True)


if __name__ == "__main__":
    main()
