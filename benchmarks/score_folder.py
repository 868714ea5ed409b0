"""`bench score` against pyiqa's command line: 20 pairs of 512 x 512 with psnr, ssim, lpips and niqe, CPU time of each.

    python benchmarks/score_folder.py [--pairs 20]

Both run as a newcomer would start them, imports included, one after the other, with one torch thread; CPU seconds are
those of the process and all its children. LPIPS and NIQE need their parameters (TORCH_HOME).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.api import get_protocol
from bench.data import prepare, resolve_dataset
from bench.imaging import imresize, write_png

METRICS = ("psnr", "ssim", "lpips", "niqe")


def make_pairs(folder: Path, count: int) -> None:
    """Photographs and their bicubic x2 images, turned and flipped to make enough of them."""
    (folder / "hr").mkdir()
    (folder / "sr").mkdir()
    samples = resolve_dataset("sample").samples(2)
    protocol = get_protocol("sample")
    for index in range(count):
        pair = prepare(samples[index % len(samples)], 2, protocol)
        hr = np.rot90(imresize(pair.hr, (512, 512)), index // len(samples))
        hr = np.clip(np.rint(hr), 0, 255).astype(np.uint8)
        sr = imresize(imresize(hr, (256, 256)), (512, 512))
        write_png(folder / "hr" / f"{index:02d}.png", np.ascontiguousarray(hr))
        write_png(folder / "sr" / f"{index:02d}.png", np.clip(np.rint(sr), 0, 255).astype(np.uint8))


def cpu_seconds(command: list[str]) -> tuple[float, float]:
    """CPU and wall seconds of a command and its children."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    count = parser.parse_args().pairs
    pyiqa = str(Path(sysconfig.get_path("scripts")) / "pyiqa")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pairs(folder, count)
        sr, hr = str(folder / "sr"), str(folder / "hr")
        theirs = cpu_seconds([pyiqa, *METRICS, "-t", sr, "-r", hr, "--device", "cpu"])
        ours = cpu_seconds(
            [
                *(sys.executable, "-m", "bench", "score", sr, hr, "--scale", "1", "--protocol", "pyiqa-default"),
                *("--metrics", ",".join(METRICS), "--out", str(folder / "run")),
            ]
        )
    print(f"{count} pairs of 512 x 512, {', '.join(METRICS)}")
    print(f"  pyiqa        {theirs[0]:6.1f} CPU s  {theirs[1]:6.1f} s wall")
    print(f"  bench score  {ours[0]:6.1f} CPU s  {ours[1]:6.1f} s wall")
    print(f"  ratio        {theirs[0] / ours[0]:6.2f}")


if __name__ == "__main__":
    main()
