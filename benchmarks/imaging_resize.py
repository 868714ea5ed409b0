"""What the harness itself spends on an image: resizing, luma, PNG, degradations; at 512 x 512 and at 8K.

Run: python benchmarks/imaging_resize.py [--skip-8k]. Every ratio compares two figures of this one run.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bench.imaging import (
    draw_blind_assr,
    draw_real_esrgan,
    imresize,
    imresize_u8,
    interpolate,
    read_image,
    read_png_exact,
    studio_luma,
    studio_luma_u8,
    write_png,
    yiq_luma_u8,
)
from bench.imaging.real_esrgan_recipe import RECIPES
from bench.imaging.weights import kernel_matrix


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skip-8k", action="store_true", help="only the 512 x 512 part")
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        peak_of(options.peak_of)
        return
    print(f"{'what':52}{'wall ms':>10}{'CPU ms':>10}  ratio", flush=True)
    if not options.skip_8k:
        peaks()
    small()
    if not options.skip_8k:
        large()


def small() -> None:
    """One 512 x 512 image: what a run pays beside model and metrics."""
    image = photograph(512, 512)
    timed("512: imresize_u8 x1/4", lambda: imresize_u8(image, (128, 128)), repeat=20)
    ours = timed("512: imresize_u8 x1/3 (fractional)", lambda: imresize_u8(image, (171, 171)), repeat=20)
    dense = timed("     the same with dense matrices", lambda: dense_resize(image, (171, 171)), repeat=5)
    ratio("dense / ours", dense, ours)
    lr = imresize_u8(image, (128, 128))
    timed("512: imresize x4 up, float64", lambda: imresize(lr, (512, 512)), repeat=20)
    timed("512: interpolate x4 up, float32", lambda: interpolate(lr, (512, 512), "bicubic", dtype="float32"), repeat=20)
    timed("512: studio luma, float64", lambda: studio_luma(image), repeat=20)
    timed("512: studio luma, rounded", lambda: studio_luma_u8(image), repeat=20)
    timed("512: YIQ luma, rounded", lambda: yiq_luma_u8(image), repeat=20)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.png"
        pillow = timed("512: PNG write, Pillow's default", lambda: Image.fromarray(image).save(path), repeat=5)
        ours = timed("512: write_png", lambda: write_png(path, image), repeat=20)
        ratio("Pillow / ours", pillow, ours)
        timed("512: read_png_exact", lambda: read_png_exact(path), repeat=20)
        timed("512: read_image", lambda: read_image(path), repeat=20)
        timed("512: write_png, compress=False", lambda: write_png(path, image, compress=False), repeat=20)
        timed("512: read_png_exact of it", lambda: read_png_exact(path), repeat=20)
    blind = draw_blind_assr(2)
    timed("512: blind-ASSR degradation x1/4", lambda: blind.apply(image, (128, 128)), repeat=5)
    for recipe in RECIPES:
        drawn = [draw_real_esrgan(seed, recipe) for seed in range(50)]
        one = timed(f"512: 50 degradations {recipe} x1/4", lambda d=drawn: [r.apply(image, (128, 128)) for r in d])
        print(f"{'':>4}{one / 50 * 1e3:.1f} ms each")
    timed("512: 1000 draws of real-esrgan", lambda: [draw_real_esrgan(seed) for seed in range(1000)])


def large() -> None:
    """One 7680 x 4320 image at ratio 30."""
    image = photograph(4320, 7680)
    ours = timed("8K: imresize_u8 to 256 x 144", lambda: imresize_u8(image, (144, 256)))
    timed("8K: imresize to 256 x 144, float64", lambda: imresize(image, (144, 256)))
    pillow = timed(
        "     Pillow BICUBIC (other borders, other rounding)",
        lambda: Image.fromarray(image).resize((256, 144), Image.Resampling.BICUBIC),
    )
    ratio("ours / Pillow", ours, pillow)
    lr = imresize_u8(image, (144, 256))
    timed("8K: imresize up from 256 x 144, float64", lambda: imresize(lr, (4320, 7680)))
    timed("8K: interpolate up, float32", lambda: interpolate(lr, (4320, 7680), "bicubic", dtype="float32"))
    timed("8K: imresize_u8 up", lambda: imresize_u8(lr, (4320, 7680)))
    timed("8K: studio luma, float64", lambda: studio_luma(image))
    timed("8K: YIQ luma, rounded", lambda: yiq_luma_u8(image))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.png"
        timed("8K: write_png", lambda: write_png(path, image), repeat=1)
        timed("8K: read_png_exact", lambda: read_png_exact(path), repeat=1)


def peaks() -> None:
    """Peak memory of single 8K operations; before anything large, since a child process inherits its parent's peak."""
    for name in PEAKS:
        subprocess.run([sys.executable, __file__, "--peak-of", name], check=True)


PEAKS: dict[str, Callable[[], object]] = {
    "down": lambda: imresize_u8(np.zeros((4320, 7680, 3), np.uint8), (144, 256)),
    "up-float64": lambda: imresize(np.zeros((144, 256, 3), np.uint8), (4320, 7680)),
    "up-float32": lambda: interpolate(np.zeros((144, 256, 3), np.uint8), (4320, 7680), "bicubic", dtype="float32"),
}


def peak_of(name: str) -> None:
    """In a process of its own: the peak of memory of one 8K operation."""
    PEAKS[name]()
    print(f"8K: peak memory of {name:33}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.0f} MB")


def dense_resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The same resize by full matrix products, rounded once."""
    down = kernel_matrix(image.shape[0], size[0], "bicubic", True).toarray()
    across = kernel_matrix(image.shape[1], size[1], "bicubic", True).toarray()
    planes = image.astype(np.float64).transpose(2, 0, 1)
    return np.clip(np.rint((down @ planes @ across.T).transpose(1, 2, 0)), 0, 255).astype(np.uint8)


def photograph(height: int, width: int) -> np.ndarray:
    """A picture that compresses like a photograph: smooth structure and a little noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + rng.integers(-6, 7, picture.shape), 0, 255).astype(np.uint8)


def timed(label: str, work: Callable[[], object], repeat: int = 3) -> float:
    """Print the best wall and CPU time; the latter is returned in seconds."""
    work()
    best = (float("inf"), float("inf"))
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        best = min(best[0], time.perf_counter() - wall), min(best[1], time.process_time() - cpu)
    print(f"{label:52}{best[0] * 1e3:10.2f}{best[1] * 1e3:10.2f}")
    return best[1]


def ratio(label: str, numerator: float, denominator: float) -> None:
    """Print one ratio of two CPU times."""
    print(f"{'':72}  {label}: {numerator / denominator:.1f}")


if __name__ == "__main__":
    main()
