"""`bench score` against pyiqa's command line: 20 pairs of 512 x 512 with psnr, ssim, lpips and niqe, CPU time of each.

    python benchmarks/score_folder.py [--pairs 20] [--repeats 3]
    python benchmarks/score_folder.py --growth 1000,3000,10000

Both run as a newcomer would start them, imports included, one after the other, with one torch thread; CPU seconds are
those of the process and all its children. LPIPS and NIQE need their parameters (TORCH_HOME). `--growth` scores so many
pairs of 64 x 64 with psnr and ssim, and prints the CPU time beside that of the arithmetic alone, and of reading and
arithmetic: what a loop over the same files would cost.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.api import get_protocol
from bench.data import prepare, resolve_dataset
from bench.imaging import imresize, read_image, write_png
from bench.metrics.scorer import Scorer

# where compiled files may not be written, every start compiles what an installed package has compiled
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
METRICS = ("psnr", "ssim", "lpips", "niqe")
SMALL = ("psnr", "ssim")


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


def make_small_pairs(folder: Path, count: int) -> None:
    """64 x 64 crops of a photograph, no two alike, and the same with noise."""
    photo = prepare(resolve_dataset("sample").samples(2)[0], 2, get_protocol("sample")).hr
    rng = np.random.default_rng(0)
    for side in ("hr", "sr"):
        (folder / side).mkdir(parents=True)
    for index in range(count):
        y, x = (int(rng.integers(0, length - 63)) for length in photo.shape[:2])
        hr = photo[y : y + 64, x : x + 64].copy()
        hr[0, 0] = index % 256, index // 256, 0
        sr = np.clip(hr.astype(int) + rng.integers(-5, 6, hr.shape), 0, 255).astype(np.uint8)
        write_png(folder / "hr" / f"{index:05d}.png", hr, compress=False)
        write_png(folder / "sr" / f"{index:05d}.png", sr, compress=False)


def score(folder: Path, metrics: Sequence[str], out: str, *more: str) -> tuple[float, float]:
    """CPU and wall seconds of `bench score` on the two folders."""
    words = (str(folder / "sr"), str(folder / "hr"), "--scale", "1", "--protocol", "pyiqa-default")
    last = ("--metrics", ",".join(metrics), "--out", str(folder / out), *more)
    return cpu_seconds([sys.executable, "-m", "bench", "score", *words, *last])


def against_pyiqa(folder: Path, count: int, repeats: int) -> None:
    """Print both sides of each repetition and their ratio."""
    pyiqa = str(Path(sysconfig.get_path("scripts")) / "pyiqa")
    make_pairs(folder, count)
    sr, hr = str(folder / "sr"), str(folder / "hr")
    print(f"{count} pairs of 512 x 512, {', '.join(METRICS)}")
    for repeat in range(repeats):
        theirs = cpu_seconds([pyiqa, *METRICS, "-t", sr, "-r", hr, "--device", "cpu"])
        ours = score(folder, METRICS, f"run{repeat}")
        print(f"  pyiqa        {theirs[0]:6.1f} CPU s  {theirs[1]:6.1f} s wall")
        print(f"  bench score  {ours[0]:6.1f} CPU s  {ours[1]:6.1f} s wall")
        print(f"  ratio        {theirs[0] / ours[0]:6.2f}", flush=True)


def growth(folder: Path, counts: list[int]) -> None:
    """Print how the cost of small pairs grows with their number."""
    for count in counts:
        here = folder / str(count)
        make_small_pairs(here, count)
        whole, _ = score(here, SMALL, "run", "--workers", "0")
        scorer = Scorer(SMALL, get_protocol("pyiqa-default"))
        started, arithmetic = time.process_time(), 0.0
        for path in sorted((here / "sr").iterdir()):
            sr, hr = (read_image(file).pixels for file in (path, here / "hr" / path.name))
            before = time.process_time()
            scorer.score(sr, hr, None, 1.0, path.name)
            arithmetic += time.process_time() - before
        loop = time.process_time() - started
        print(
            f"{count:6d} pairs of 64 x 64: {whole:6.1f} CPU s, {1e3 * whole / count:.2f} ms a pair; "
            f"arithmetic {1e3 * arithmetic / count:.2f} ms ({whole / arithmetic:.1f} times), with reading "
            f"{1e3 * loop / count:.2f} ms ({whole / loop:.1f} times)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--growth", help="numbers of small pairs, with commas between them")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if words.growth:
            growth(Path(name), [int(count) for count in words.growth.split(",")])
        else:
            against_pyiqa(Path(name), words.pairs, words.repeats)


if __name__ == "__main__":
    main()
