"""How long a large comparison takes on 1 to 512 GPUs, and what saturates first: a formula and a small simulation.

    python benchmarks/scale_model.py [--gpus 1,8,64,512] [--gpu-factor 200] [--run RUN_FOLDER ...]

DIV2K's validation images and as many of 8K, five scales, eight methods, three seeds where a method draws. Costs are
CPU seconds per megapixel of the result: those below, or a run folder's own with `--run`. A GPU does what
`--gpu-factor` threads of a CPU do, which is an assumption, not a measurement. docs/scale.md derives the formula.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.engine.shard import share_out

SECONDS = {
    "bicubic": 0.055, "lanczos": 0.055, "liif": 11.1, "lte": 10.2, "blind_assr": 15.1, "casr": 7.5, "casarbi": 60.0,
    "cassr": 113.0,
}  # fmt: skip
"""CPU seconds of one thread per megapixel of the result, lite weights (docs/performance.md)."""
DRAWING = frozenset({"casr", "casarbi", "cassr"})
"""Methods of which every seed is another image."""
SETS = {"DIV2K-valid": (100, 2.8), "8K": (100, 33.2)}
"""Name -> images and megapixels of each: 2040 x 1370 in the mean, and at most 7680 x 4320."""
SCORING = 1.33
"""CPU seconds per megapixel of psnr, ssim, lpips and niqe."""
FILES = 0.07
"""The same of reading HR, making LR, rounding, hashing and writing the PNG."""
PNG_BYTES, RAW_BYTES = 1.5, 3.0
"""Per pixel: of a compressed PNG, and of an image on its way to the one writer."""


@dataclass(frozen=True)
class Unit:
    """One image of one row: seconds on a GPU, seconds on a core of a CPU, and megapixels."""

    method: str
    gpu: float
    cpu: float
    megapixels: float


@dataclass(frozen=True)
class Machines:
    """What there is.

    Attributes:
        gpus: Each with one process that keeps a method loaded.
        cores: Of all machines together, for scoring and files.
        writers: Processes that append records: 1, or one per shard.
        link: Bytes per second into each writer; images do not travel where every shard writes its own.
        store: Bytes per second that the file system takes from all writers together.
        load: Seconds until a method is loaded.
        record: Seconds of the writer for each image.
    """

    gpus: int
    cores: int
    writers: int = 1
    link: float = 1.25e9
    store: float = 5e9
    load: float = 20.0
    record: float = 0.002


def make_units(seconds: dict[str, float], *, scales: int, seeds: int, factor: float) -> list[Unit]:
    """The units of the comparison in the order of the plan: methods outermost."""
    return [
        Unit(method, megapixels * cost / factor, megapixels * (SCORING + FILES), megapixels)
        for method, cost in seconds.items()
        for images, megapixels in SETS.values()
        for _ in range(images * scales * (seeds if method in DRAWING else 1))
    ]


def bounds(units: Sequence[Unit], machines: Machines) -> dict[str, float]:
    """What each resource needs by itself; nothing can be faster than the largest."""
    pixels = 1e6 * sum(unit.megapixels for unit in units)
    sharded = machines.writers > 1
    # every shard loads every method of which it has an image; from one queue, a worker may keep one from end to end
    loads = sum(min(count, machines.writers) for count in Counter(unit.method for unit in units).values())
    loading = loads * machines.load / machines.writers if sharded else 0.0
    return {
        "GPUs": sum(unit.gpu for unit in units) / machines.gpus + loading,
        "cores": sum(unit.cpu for unit in units) / machines.cores,
        "writer": len(units) * machines.record / machines.writers,
        "link": 0.0 if sharded else pixels * RAW_BYTES / machines.link,
        "store": pixels * PNG_BYTES / machines.store,
        "longest image": max(unit.gpu + unit.cpu + machines.record for unit in units),
    }


def simulate(units: Sequence[Unit], machines: Machines) -> float:
    """Seconds until the last record is written.

    Work waits in queues without end between GPU, core, link and file system, and writer; each takes what is ready
    first. With several writers, `share_out` gives each a part of the units, its share of everything, and no link.
    """
    if machines.writers == 1:
        return _one_queue(units, machines)
    parts = machines.writers
    homes = share_out([(unit.method, round(1e6 * unit.megapixels)) for unit in units], parts)
    share = replace(
        machines, gpus=max(1, machines.gpus // parts), cores=max(1, machines.cores // parts), writers=1,
        link=float("inf"), store=machines.store / parts,
    )  # fmt: skip
    held: list[list[Unit]] = [[] for _ in range(parts)]
    for unit, home in zip(units, homes, strict=True):
        held[home - 1].append(unit)
    return max(_one_queue(part, share) for part in held)


def _one_queue(units: Sequence[Unit], machines: Machines) -> float:
    workers: list[tuple[float, int]] = [(0.0, number) for number in range(machines.gpus)]
    loaded: dict[int, str] = {}
    made = []
    for unit in units:
        free, worker = heapq.heappop(workers)
        done = free + unit.gpu + (machines.load if loaded.get(worker) != unit.method else 0.0)
        loaded[worker] = unit.method
        heapq.heappush(workers, (done, worker))
        made.append((done, unit))
    scored = _through(made, machines.cores, lambda unit: unit.cpu)
    sent = _through(scored, 1, lambda unit: 1e6 * unit.megapixels * RAW_BYTES / machines.link)
    stored = _through(sent, 1, lambda unit: 1e6 * unit.megapixels * PNG_BYTES / machines.store)
    return max(done for done, _ in _through(stored, 1, lambda _: machines.record))


def _through(
    ready: Iterable[tuple[float, Unit]], servers: int, cost: Callable[[Unit], float]
) -> list[tuple[float, Unit]]:
    """When each unit leaves a station of so many equal servers, which take units as they come."""
    free = [0.0] * servers
    left = []
    for at, unit in sorted(ready, key=lambda item: item[0]):
        done = max(at, heapq.heappop(free)) + cost(unit)
        heapq.heappush(free, done)
        left.append((done, unit))
    return left


def measured(folders: Sequence[Path]) -> dict[str, float]:
    """Seconds per megapixel of the methods of run folders, over all of their images."""
    import bench

    records = bench.load(*folders).records.dropna(subset=["seconds", "height", "width"])
    images = records.drop_duplicates(["method", "variant", "dataset", "image", "scale", "seed"])
    spent = dict.fromkeys(images["method"], (0.0, 0.0))
    for method, seconds, height, width in images[["method", "seconds", "height", "width"]].itertuples(index=False):
        spent[method] = spent[method][0] + seconds, spent[method][1] + height * width / 1e6
    return {method: seconds / megapixels for method, (seconds, megapixels) in spent.items()}


def told(seconds: float) -> str:
    """A duration as people say it."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpus", default="1,8,64,512")
    parser.add_argument("--gpu-factor", type=float, default=200.0, help="threads of a CPU that a GPU stands for")
    parser.add_argument("--cores-per-gpu", type=int, default=8)
    parser.add_argument("--scales", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="run folders whose methods' times are taken")
    words = parser.parse_args()
    seconds = {**SECONDS, **measured(words.run)} if words.run else SECONDS
    units = make_units(seconds, scales=words.scales, seeds=words.seeds, factor=words.gpu_factor)
    total = sum(unit.megapixels for unit in units)
    print(f"{len(units)} images of {len(seconds)} methods, {total / 1000:.0f} gigapixels; one GPU = "
          f"{words.gpu_factor:g} CPU threads (assumed), {words.cores_per_gpu} cores for each")  # fmt: skip
    print("| GPUs | writers | simulated | " + " | ".join(bounds(units, Machines(1, 1))) + " | saturates first |")
    print("|" + "---|" * 10)
    for count in (int(word) for word in words.gpus.split(",")):
        for writers in dict.fromkeys((1, count)):
            machines = Machines(count, count * words.cores_per_gpu, writers)
            needs = bounds(units, machines)
            first = max(needs, key=lambda name: needs[name])
            cells = [str(count), str(writers), told(simulate(units, machines)), *map(told, needs.values()), first]
            print("| " + " | ".join(cells) + " |")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
