"""What a run folder of many records costs: a run with nothing to do, and `bench table`.

    python benchmarks/large_folder.py [--records 200000] [--out DIR]

The folder is made of what a plan says it must hold (four resizing methods, 1,000 images of 16 px, as many scales as it
takes), with made-up numbers and one PNG under many names: nothing is computed, everything is read. CPU seconds, wall
seconds and the largest memory are those of a process of its own; `--out` keeps the folder for the next time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
# where compiled files may not be written, every start compiles what an installed package has compiled
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
METHODS = ("nearest", "bilinear", "bicubic", "lanczos")
IMAGES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--out", type=Path)
    words = parser.parse_args()
    scales = [f"{1 + number / 64:g}" for number in range(max(1, words.records // (IMAGES * len(METHODS))))]
    with tempfile.TemporaryDirectory() as scratch:
        home = words.out or Path(scratch)
        options = ["--methods", ",".join(METHODS), "--scales", ",".join(scales), "--datasets", str(home / "Many")]
        options += ["--metrics", "psnr,ssim", "--protocol", "sample", "--out", str(home / "run")]
        if not (home / "run").exists():
            make_folder(home, options, scales)
            measure("first export", ["run", *options])
        measure("run with nothing to do", ["run", *options])
        measure("table", ["table", str(home / "run")])


def measure(what: str, command: Sequence[str]) -> None:
    """Print what a command costs."""
    started = time.perf_counter()
    done = subprocess.Popen([sys.executable, "-m", "bench", *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(done.pid, 0)
    wall = time.perf_counter() - started
    cpu = used.ru_utime + used.ru_stime
    print(f"{what:24s} exit {os.waitstatus_to_exitcode(status)}  {cpu:6.1f} CPU s  {wall:6.1f} s", end="")
    print(f"  {used.ru_maxrss / 1024:7.0f} MB", flush=True)


def make_folder(home: Path, options: list[str], scales: Sequence[str]) -> None:
    """The images, and records and stored PNGs of every unit of the plan."""
    import numpy as np

    from bench.api import Output, Record, Score, UnitStatus, get_protocol, parse_scales
    from bench.data import resolve_dataset
    from bench.engine.choice import choose_methods
    from bench.engine.folder import CellFolder
    from bench.engine.manifest import with_plan
    from bench.engine.request import RunRequest
    from bench.engine.run import plan_only
    from bench.engine.store import Store
    from bench.imaging import write_png
    from bench.metrics.catalog import choose_metrics

    rng = np.random.default_rng(0)
    (home / "Many").mkdir(parents=True)
    for number in range(IMAGES):
        write_png(home / "Many" / f"image {number:05d}.png", rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    out = home / "run"
    request = RunRequest(
        methods=choose_methods(METHODS, weights=None, overrides=[]),
        datasets=(resolve_dataset(str(home / "Many")),),
        scales=parse_scales(",".join(scales)),
        metrics=choose_metrics(("psnr", "ssim")),
        protocol=get_protocol("sample"),
        out=out,
        command="bench run",
    )
    plan, metrics = plan_only(request)
    pixels = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    with Store(out) as store:
        store.write_manifest(with_plan(None, plan, metrics, ()))
        for cell in plan.cells:
            where = CellFolder(cell.id, cell.choice.folder)
            one = out / cell.units[0].path  # file systems allow so many names of one file
            one.parent.mkdir(parents=True)
            write_png(one, pixels)
            for unit in cell.units:
                scores = tuple(
                    Score(name, float(rng.normal(30, 3)), cell.signatures[name], key)
                    for name, key in unit.missing.items()
                )
                output = Output(unit.key, unit.path.as_posix(), "0" * 64, (16, 16), 8, "0" * 64, seconds=0.001)
                record = Record(
                    cell.id,
                    unit.sample.id,
                    UnitStatus.OK,
                    output,
                    scores,
                    pair=cell.pair,
                    origin=cell.origin.id,
                    source=unit.short_source,
                )
                store.append(where, record)
                if unit is not cell.units[0]:
                    (out / unit.path).hardlink_to(one)


if __name__ == "__main__":
    main()
