"""What more processes bring, and what each image costs the one that hands them out.

    python benchmarks/executor_scaling.py procs ray          # a method that sleeps: 8 workers against 1
    python benchmarks/executor_scaling.py cached             # 10,000 units that are there
    python benchmarks/executor_scaling.py casarbi            # --procs 2 against --procs 1

The method that sleeps needs no core, so the machine does not limit it. Rates are of the second half of the images, when
all processes have started. The driver's cost is its own CPU time; wall time is told beside it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

import bench
from bench.api import CellId, Method, MethodInfo, MethodOptions, Upscaled
from bench.engine.events import Silent
from bench.imaging import write_png


class SleeperOptions(MethodOptions):
    """How long it sleeps."""

    seconds: float = 0.25


class Sleeper(Method):
    """Nearest neighbours after a nap."""

    info = MethodInfo(name="sleeper", display="Sleeper", summary="sleeps, then repeats pixels")
    Options = SleeperOptions
    options: SleeperOptions

    def upscale(self, lr, size, *, seed):
        """Sleep and repeat."""
        from torch.nn.functional import interpolate

        time.sleep(self.options.seconds)
        return Upscaled(interpolate(lr[None], size=size)[0])


class Clock(Silent):
    """Wall and CPU time of this process at each finished image."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
        """Note the time."""
        if error:
            raise SystemExit(f"{image}: {error}")
        self.marks.append((time.perf_counter(), time.process_time()))

    def second_half(self) -> tuple[int, float, float]:
        """(images, wall seconds, CPU seconds of this process)."""
        middle = len(self.marks) // 2
        wall, cpu = (end - start for end, start in zip(self.marks[-1], self.marks[middle], strict=True))
        return len(self.marks) - 1 - middle, wall, cpu


def make_images(folder: Path, count: int, side: int = 32) -> Path:
    """So many small images of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        write_png(folder / f"{index:05}.png", rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    return folder


def sleeping(home: Path, executor: str, workers: int, *, seconds: float, each: int) -> tuple[float, float]:
    """(images per second, CPU milliseconds of the driver for each) of so many processes."""
    clock = Clock()
    bench.run(
        "sleeper",
        2,
        datasets=make_images(home / f"images-{executor}-{workers}", workers * each),
        metrics="psnr",
        plugin=__file__,
        set=[f"sleeper.seconds={seconds}"],
        out=home / f"{executor}-{workers}",
        device="cpu",
        executor=executor,
        procs=workers,
        workers=1,
        listener=clock,
    )
    images, wall, cpu = clock.second_half()
    return images / wall, 1000 * cpu / images


def scaling(home: Path, executor: str, workers: int, seconds: float, each: int) -> None:
    """One process and many."""
    name = "--executor ray" if executor == "ray" else "--procs"
    alone, alone_cpu = sleeping(home, executor, 1, seconds=seconds, each=each)
    many, many_cpu = sleeping(home, executor, workers, seconds=seconds, each=each)
    print(
        f"{name}: {alone:.2f} images a second with 1, {many:.2f} with {workers}: {many / alone:.2f} times; "
        f"the driver's CPU {alone_cpu:.1f} and {many_cpu:.1f} ms an image"
    )


def cached(home: Path, units: int) -> None:
    """A run that is there, asked for again."""
    scales = [2 + index / 4 for index in range(10)]
    images = make_images(home / "many", units // len(scales), side=24)
    wanted = {"datasets": images, "metrics": "psnr", "out": home / "cached", "device": "cpu"}
    bench.run("bicubic", scales, **wanted)
    for executor in ("local", "ray"):
        wall, cpu = time.perf_counter(), time.process_time()
        again = bench.run("bicubic", scales, executor=executor, **wanted)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert again.tally.inferred == 0
        print(f"{again.tally.reused} units that are there, --executor {executor}: {cpu:.2f} CPU s, {wall:.2f} s")


def casarbi(home: Path, repeats: int) -> None:
    """CasArbi's part of README's command, its processes in turn with one and with two."""
    took: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(repeats):
        for procs in (1, 2):
            clock = time.perf_counter()
            bench.run(
                "casarbi",
                (8, 12, 18, 24, 30),
                limit=2,
                metrics="psnr,ssim",
                out=home / f"casarbi-{procs}-{turn}",
                device="cpu",
                procs=procs,
                workers=1,
            )
            took[procs].append(time.perf_counter() - clock)
    load = os.getloadavg()[0]
    print(f"casarbi: {took[1]} s with 1, {took[2]} s with 2: {min(took[1]) / min(took[2]):.2f} times (load {load:.1f})")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=("procs", "ray", "cached", "casarbi"))
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.5, help="the nap of the method that sleeps")
    parser.add_argument("--each", type=int, default=24, help="images for each worker")
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=1)
    typed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for part in typed.parts:
            if part == "cached":
                cached(home, typed.units)
            elif part == "casarbi":
                casarbi(home, typed.repeats)
            else:
                scaling(home, "local" if part == "procs" else "ray", typed.workers, typed.seconds, typed.each)


if __name__ == "__main__":
    main()
