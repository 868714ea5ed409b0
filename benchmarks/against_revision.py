"""A method beside itself at an earlier revision: CPU seconds per output megapixel, as a ratio in one run.

    python benchmarks/against_revision.py adda3d6 casarbi casr [--scale 4] [--side 64] [--repeats 5] [--threads 1]

Needs git. The revision's files are laid out in a temporary folder; one process for each side loads the method and then
enlarges the same image whenever it is told to, by turns, so that what else the machine does falls on both. Both sides
have the revision's own lite weights, so that their images can be compared. Printed are the least CPU seconds of either,
their ratio (above 1: faster now), the largest difference of two images in the value range, and the share of 8-bit
values that are another.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_ROOT = Path(__file__).resolve().parents[1]

_SIDE = """
import importlib, sys, time
from pathlib import Path
import numpy as np, torch
name, weights, side, scale, threads, out = sys.argv[1:]
side = int(side)
size = (round(side * float(scale)),) * 2
torch.set_num_threads(int(threads))
spec = getattr(importlib.import_module(f"methods.{name}.info"), name.upper())
module, found = spec.factory.split(":")
method = getattr(importlib.import_module(module), found)(spec.options())
method.load(Path(weights), torch.device("cpu"), torch.float32)
rng = np.random.default_rng(0)
y, x = np.mgrid[:side, :side]
waves = np.stack([0.2 * np.sin(x / a) * np.cos(y / b) for a, b in ((7, 11), (23, 5), (3, 40))])
lr = torch.from_numpy((0.5 + waves + rng.normal(0, 0.03, waves.shape)).clip(0, 1)).float()
print("ready", flush=True)
for line in sys.stdin:
    started = time.process_time()
    with torch.no_grad():
        image = method.upscale(lr, size, seed=0).image
    spent = time.process_time() - started
    np.save(out, image.clamp(0, 1).numpy())
    print(spent, flush=True)
"""
"""What a process of either side does; it uses what both revisions have."""


class Side:
    """A process with a method of one revision."""

    def __init__(self, root: Path, weights: Path, out: Path, name: str, options: argparse.Namespace) -> None:
        self.out = out
        told = [name, weights, options.side, options.scale, options.threads, out]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SIDE, *map(str, told)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": str(options.threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def spend(self) -> float:
        """CPU seconds of one image."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._answer())

    def image(self) -> NDArray[np.float32]:
        """What it made of the image last."""
        return np.load(self.out)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of {self.out.stem} ended; its error stands above")
        return line


def main() -> None:
    """Print one line for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision")
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--scale", default="4")
    parser.add_argument("--side", type=int, default=64, help="of the LR image")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(options.revision, root / "then")
        for name in options.methods:
            print(compared(name, root, options), flush=True)


def lay_out(revision: str, folder: Path) -> None:
    """The files of a revision in a folder of their own."""
    packed = subprocess.run(["git", "archive", revision], cwd=_ROOT, capture_output=True, check=False)
    if packed.returncode:
        raise SystemExit(f"git archive {revision}: {packed.stderr.decode().strip()}")
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")


def compared(name: str, root: Path, options: argparse.Namespace) -> str:
    """A method's line."""
    weights = root / "then" / "methods" / name / "weights" / "lite.safetensors"
    sides = [Side(base, weights, root / f"{told}.npy", name, options) for told, base in _sides(root)]
    for side in sides:  # what the first image costs beside: allocations, weights in another order
        side.spend()
    spent = np.array([[side.spend() for side in sides] for _ in range(options.repeats)])
    then, now = (side.image() for side in sides)
    for side in sides:
        side.close()
    megapixels = then.shape[-1] * then.shape[-2] / 1e6
    before, after = spent.min(axis=0) / megapixels
    other = np.mean(np.round(then * 255) != np.round(now * 255))
    turns = " ".join(f"{ratio:.2f}" for ratio in spent[:, 0] / spent[:, 1])
    return (
        f"{name}: {before:.2f} CPU s per megapixel at {options.revision}, {after:.2f} now, {before / after:.2f} times "
        f"as fast (by turns: {turns}); images differ by at most {np.abs(then - now).max():.1e}, "
        f"{other:.1e} of the 8-bit values are another"
    )


def _sides(root: Path) -> tuple[tuple[str, Path], tuple[str, Path]]:
    return ("then", root / "then"), ("now", _ROOT)


if __name__ == "__main__":
    main()
