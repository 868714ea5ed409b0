"""Peak memory and CPU time of scoring one 7680 x 4320 pair through the scorer.

python benchmarks/metrics_8k.py [--metrics psnr,ssim,lpips,niqe] [--protocol basicsr-y] [--weights-root DIR]

The pair is made from scikit-image's astronaut, enlarged and tiled. Peak RSS is the process's own high-water mark, which
includes the imports and the two images (199 MB); metrics that are not available here are listed and left out.
"""

# ruff: noqa: E402 - thread counts are read when the libraries load

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import cv2
import numpy as np
from skimage import data

from bench.api import get_protocol
from bench.metrics import Scorer

SIZE = (4320, 7680)


def main() -> None:
    """Score the pair once with all metrics and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", default="psnr,ssim,lpips,niqe", help="names, separated by commas")
    parser.add_argument("--protocol", default="basicsr-y", help="a named protocol")
    parser.add_argument("--weights-root", type=Path, help="where metric parameters lie (default: TORCH_HOME)")
    request = parser.parse_args()
    cv2.setNumThreads(1)
    scorer = Scorer(request.metrics.split(","), get_protocol(request.protocol), weights_root=request.weights_root)
    for name, reason in scorer.unavailable().items():
        print(f"{name} left out: {reason}")
    hr = np.ascontiguousarray(
        cv2.resize(np.tile(data.astronaut(), (4, 8, 1)), SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    )
    sr = cv2.GaussianBlur(hr, (0, 0), 1.2)
    print(f"protocol {request.protocol}, one thread; peak RSS with both images: {peak_mb()} MB")
    print(f"{'metric':10} {'value':>10} {'CPU s':>8} {'peak RSS MB':>12}")
    wanted = [name for name in request.metrics.split(",") if name not in scorer.unavailable()]
    started = time.process_time()
    for name in wanted:  # one by one, so that the peak can be told apart; planes of the reference are kept in between
        before = time.process_time()
        value = scorer.score(sr, hr, None, 8.0, "pair", metrics=[name])[name]
        shown = f"{value.value:10.4f}" if value.value is not None else value.reason
        print(f"{name:10} {shown} {time.process_time() - before:8.2f} {peak_mb():12}", flush=True)
    before = time.process_time()
    scorer.score(sr, hr, None, 8.0, "pair", metrics=wanted)
    print(f"all at once, reference known: {time.process_time() - before:.2f} CPU s (first pass {before - started:.2f})")
    print(f"peak RSS {peak_mb()} MB")


def peak_mb():
    """High-water mark of this process in MB (Linux counts it in KiB)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
