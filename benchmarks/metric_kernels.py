"""CPU time of our metric kernels and of pyiqa's on the same images, in one run, one thread each.

python benchmarks/metric_kernels.py [--repeats 5]

Prints, per metric and size, the least CPU seconds of either side over the repeats (taken in turn), their ratio and the
difference of the values. Needs no weights: NIQE gets a random positive definite model on both sides.
"""

# ruff: noqa: E402 - thread counts are read when the libraries load

from __future__ import annotations

import argparse
import os
import time

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import cv2
import numpy as np
import torch
from pyiqa.archs import niqe_arch, nrqm_arch, psnr_arch, ssim_arch
from skimage import data

from bench.imaging import imresize_u8, yiq_luma_u8
from bench.metrics.ma_features import ma_features
from bench.metrics.niqe import Pristine, niqe
from bench.metrics.psnr import psnr
from bench.metrics.ssim import ssim


def main() -> None:
    """Time everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="runs of either side; the least time counts")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    print(
        f"CPU seconds, least of {repeats}; 1 thread on both sides (torch {torch.__version__}, OpenCV {cv2.__version__})"
    )
    print(f"{'metric':10} {'size':>10} {'ours':>10} {'pyiqa':>10} {'ratio':>8} {'difference':>12}")
    for side in (512, 1024):
        for name, ours, theirs in full_size(side):
            report(name, side, ours, theirs, repeats)
    report("ma", 256, *ma_pair(256), repeats=max(repeats // 2, 1))


def report(name, side, ours, theirs, repeats):
    """Run both in turn and print one row."""
    ours(), theirs()
    times = [(clock(ours), clock(theirs)) for _ in range(repeats)]
    mine, other = (min(column) for column in zip(*times, strict=True))
    difference = np.max(np.abs(np.asarray(ours()) - np.asarray(theirs())))
    print(
        f"{name:10} {f'{side}x{side}':>10} {mine:10.5f} {other:10.4f} {other / mine:8.1f} {difference:12.1e}",
        flush=True,
    )


def clock(function):
    """CPU seconds of one call, repeated inside where it is too short for the clock."""
    calls = 0
    started = time.process_time()
    while calls < 1 or time.process_time() - started < 0.02:
        function()
        calls += 1
    return (time.process_time() - started) / calls


def sample(side):
    """An image and a soft copy of it, (side, side, 3) uint8, and both as pyiqa's tensors."""
    hr = imresize_u8(data.astronaut(), (side, side))
    sr = imresize_u8(imresize_u8(hr, (side // 4, side // 4)), (side, side))
    return sr, hr, *(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 for image in (sr, hr))


def full_size(side):
    """(name, ours, pyiqa's) from pixels to number, luma conversion included."""
    sr, hr, sr_tensor, hr_tensor = sample(side)
    reference = ssim_arch.SSIM()
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(36, 36)) * 0.1
    model = Pristine(rng.uniform(0.2, 3, 36), factor @ factor.T + 0.02 * np.eye(36))
    tensors = {
        "mu_pris_param": torch.from_numpy(model.mean),
        "cov_pris_param": torch.from_numpy(model.covariance),
    }
    yield "psnr rgb", lambda: psnr(sr, hr), lambda: float(psnr_arch.psnr(sr_tensor, hr_tensor))
    yield (
        "ssim yiq",
        lambda: ssim(yiq_luma_u8(sr), yiq_luma_u8(hr), clamp=True),
        lambda: float(reference(sr_tensor, hr_tensor)),
    )
    yield (
        "niqe",
        lambda: niqe(yiq_luma_u8(hr), model),
        lambda: float(niqe_arch.calculate_niqe(hr_tensor, **tensors)),
    )


def ma_pair(side):
    """Ma et al.'s 138 features: ours and pyiqa's."""
    luma = yiq_luma_u8(imresize_u8(data.astronaut(), (side, side))).astype(np.float64)
    tensor = torch.from_numpy(luma)[None, None]

    def theirs():
        scales = nrqm_arch.get_gauss_pyramid(tensor / 255)
        groups = [nrqm_arch.block_dct(scale) for scale in scales]
        groups.append(nrqm_arch.global_gsm(tensor))
        columns = [nrqm_arch.im2col(scale, 5, "distinct") for scale in scales]
        groups += [torch.linalg.svd(column, full_matrices=False)[1] for column in columns]
        return torch.cat(groups, dim=1)[0].numpy()

    return lambda: np.concatenate(ma_features(luma)), theirs


if __name__ == "__main__":
    main()
