"""Every shipped method to 7680 x 4320 and every metric of it: seconds, and the memory of all processes together.

    python benchmarks/eight_k.py [--methods bicubic,liif,...] [--metrics psnr,ssim,lpips,niqe] [--scale 30]
                                 [--size 7680x4320] [--together] [--out DIR]

The image is a mosaic of the `sample` photographs, enlarged. Each method has a `bench run --workers 1` of its
own (one for all with `--together`). Memory is the resident memory of the command and of all its children, summed
twenty times a second: pages that they share count as often as they are shared, so it is an upper bound. Results stay
in `--out`, and what lies there is not computed again: a row then has no seconds of its own, but for those of the model.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.data.embedded import SAMPLE_FILES, sample_folder
from bench.imaging import read_image, write_png

METHODS = "bicubic,liif,lte,blind_assr,casarbi,casr,cassr"
BAND = 1080
"""Rows of a photograph in the mosaic; a lower image has one band."""
_INTERVAL = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Spent:
    """What a command cost: wall and CPU seconds, and the most that its processes held together (bytes)."""

    wall: float
    cpu: float
    peak: int


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=METHODS)
    parser.add_argument("--metrics", default="psnr,ssim,lpips,niqe")
    parser.add_argument("--scale", default="30")
    parser.add_argument("--size", default="7680x4320", help="width x height of the result")
    parser.add_argument("--together", action="store_true", help="one command for all methods")
    parser.add_argument("--out", type=Path, help="where results stay (default: a temporary folder)")
    words = parser.parse_args()
    width, height = (int(side) for side in words.size.split("x"))
    with tempfile.TemporaryDirectory() as scratch:
        out = words.out or Path(scratch)
        folder = out / f"mosaic-{words.size}"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "mosaic.png").exists():
            write_png(folder / "mosaic.png", mosaic(height, width))
        print(f"{words.size}, x{words.scale}, {words.metrics}, --workers 1, OMP_NUM_THREADS=1")
        print(f"{'method':44}{'wall s':>9}{'CPU s':>9}{'model s':>9}{'peak GB':>9}", flush=True)
        for methods in [words.methods] if words.together else words.methods.split(","):
            run = out / ("together" if words.together else f"run-{methods}")
            command = ["run", "--methods", methods, "--datasets", str(folder), "--scales", words.scale]
            command += ["--metrics", words.metrics, "--workers", "1", "--device", "cpu", "--out", str(run)]
            spent = measured([sys.executable, "-m", "bench", *command])
            row = f"{methods:44}{spent.wall:9.1f}{spent.cpu:9.1f}{seconds(run):9.1f}{spent.peak / 1e9:9.2f}"
            print(row, flush=True)


def mosaic(height: int, width: int) -> np.ndarray:
    """Photographs side by side in bands, enlarged, uint8 (height, width, 3); the same on every machine."""
    band = min(BAND, height)
    photographs = [read_image(sample_folder() / name).pixels for name in SAMPLE_FILES]
    photographs = [photo if photo.ndim == 3 else np.repeat(photo[..., None], 3, axis=2) for photo in photographs]
    widths = [band * photo.shape[1] // photo.shape[0] for photo in photographs]
    scaled = [
        cv2.resize(photo, (w, band), interpolation=cv2.INTER_CUBIC)
        for photo, w in zip(photographs, widths, strict=True)
    ]
    out, next_one = np.empty((height, width, 3), np.uint8), 0
    for top in range(0, height, band):
        left = 0
        while left < width:
            part = scaled[next_one % len(scaled)][: height - top, : width - left]
            out[top : top + part.shape[0], left : left + part.shape[1]] = part
            left, next_one = left + part.shape[1], next_one + 1
    return out


def measured(command: list[str]) -> Spent:
    """Run a command to its end and watch it.

    Raises:
        SystemExit: it failed; its message stands above.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    before, started, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(resident(one) for one in family(process.pid)))
        time.sleep(_INTERVAL)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(wall, cpu, peak)


def family(process: int) -> Iterator[int]:
    """A process and all below it."""
    yield process
    try:
        for tasks in Path(f"/proc/{process}/task").glob("*/children"):
            for child in tasks.read_text().split():
                yield from family(int(child))
    except OSError:  # it ended meanwhile
        return


def resident(process: int) -> int:
    """Resident bytes; 0 of a process that has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def seconds(run: Path) -> float:
    """Seconds that the methods themselves took, of all rows of a run folder."""
    with (run / "records.csv").open(encoding="utf-8", newline="") as file:
        taken = {(row["method"], row["image"]): float(row["seconds"] or 0) for row in csv.DictReader(file)}
    return sum(taken.values())


if __name__ == "__main__":
    main()
