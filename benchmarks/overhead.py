"""What the harness itself costs: a bicubic run with psnr, ssim, niqe.

    python benchmarks/overhead.py path/to/Set14 [--scales 2,3,4]

Two figures. *Overlapped*, as `bench run` works: the wall time that each further image takes, against the time
of the metric kernels, behind which the rest is hidden (start-up cancels out: a short run is subtracted from the whole).
*In one process* (`--workers 0`): the share of everything that is neither model nor metric kernel, with its parts. NIQE
needs its parameters (TORCH_HOME). Ends with the time of the finished run repeated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", nargs="?", default="sample")
    parser.add_argument("--scales", default="2,3,4")
    parser.add_argument("--protocol", default="basicsr-y")
    words = parser.parse_args()
    import cv2

    cv2.setNumThreads(1)
    from bench.api import get_protocol, parse_scales
    from bench.data import resolve_dataset
    from bench.engine.choice import choose_methods
    from bench.engine.request import RunRequest
    from bench.engine.run import execute
    from bench.metrics.catalog import choose_metrics

    def request(out: str, limit: int | None, workers: int = 0) -> RunRequest:
        return RunRequest(
            methods=choose_methods(["bicubic"], weights=None, overrides=[]),
            datasets=(resolve_dataset(words.dataset),),
            scales=parse_scales(words.scales),
            metrics=choose_metrics(("psnr", "ssim", "niqe")),
            protocol=get_protocol(words.protocol),
            out=Path(out),
            workers=workers,
            limit=limit,
        )

    def timed(limit: int | None) -> tuple[float, float, int]:
        """Wall seconds of a whole run with one scoring process, seconds in metric kernels, images."""
        with tempfile.TemporaryDirectory() as out:
            begun = time.perf_counter()
            done = execute(request(out, limit, workers=1)).tally
            return time.perf_counter() - begun, done.phases["metrics"], done.inferred

    timed(1)
    rounds = []
    for _ in range(5):
        short, whole = timed(2), timed(None)
        count = whole[2] - short[2]
        rounds.append(((whole[0] - short[0]) / count, (whole[1] - short[1]) / count))
    per_image, kernels = sorted(rounds)[2]
    print(f"overlapped: {1e3 * per_image:.1f} ms per image, of which metric kernels {1e3 * kernels:.1f} ms;")
    print(f"  harness overhead {(per_image - kernels) / per_image:.1%} of the run's wall time")

    with tempfile.TemporaryDirectory() as warm, tempfile.TemporaryDirectory() as cold:
        execute(request(warm, 2))
        started, wall = time.process_time(), time.perf_counter()
        tally = execute(request(cold, None)).tally
        cpu, wall = time.process_time() - started, time.perf_counter() - wall
        phases = dict(tally.phases)
        own = phases.get("model", 0.0) + phases.get("metrics", 0.0)
        print(f"in one process: {tally.inferred} images, {tally.scored} numbers, {cpu:.2f} CPU s, {wall:.2f} s wall")
        for name, seconds in sorted(phases.items(), key=lambda item: -item[1]):
            print(f"  {name:9s} {seconds:7.3f} s")
        print(f"  other     {wall - sum(phases.values()):7.3f} s")
        print(f"  neither model nor metric kernel: {(wall - own) / wall:.1%} of the wall time")
        command = [sys.executable, "-m", "bench", "run", "--methods", "bicubic", "--datasets", words.dataset]
        command += [
            "--scales",
            words.scales,
            "--metrics",
            "psnr,ssim,niqe",
            "--protocol",
            words.protocol,
            "--out",
            cold,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for label in ("repeated", "repeated again"):
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            print(f"the finished run {label}: {time.perf_counter() - started:.2f} s in all")


if __name__ == "__main__":
    main()
