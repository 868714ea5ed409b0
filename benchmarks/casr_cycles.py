"""CASR's cost: CPU seconds per output megapixel of each cycle and of its parts, what tiles cost, and the memory of 8K.

Run: python benchmarks/casr_cycles.py [--weights FILE] [--scales 4,18] [--side 64] [--threads 1] [--large]
Parts are what a cycle saves without them, all in one process. --large enlarges 1920 x 1080 to 7680 x 4320 in one cycle,
in a process of its own, and prints its peak of memory beside that of the loaded network.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import torch
from costs import arguments, least, peak, photograph

from methods.blocks.plan import sizes
from methods.casr.cycle import Sampling, cycle
from methods.casr.info import CASR
from methods.casr.method import load_network
from methods.casr.network import Casr

_REPEATS = 3


def main() -> None:
    """Print the tables."""
    parser = arguments(__doc__, weights=CASR.weights["lite"], scales="4,18", side=64)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--in-here", action="store_true", help="no further process for --large")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.large and not options.in_here:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--in-here"], check=True)
        return
    network = load_network(options.weights)[0].place(torch.device("cpu"), torch.float32)
    with torch.inference_mode():
        if options.large:
            large(network)
            return
        for scale in (float(each) for each in options.scales.split(",")):
            cycles(network, photograph((options.side, options.side)), scale)
        tiles(network)


def cycles(network: Casr, lr: torch.Tensor, scale: float) -> None:
    """One row per cycle."""
    size = (lr.shape[-2], lr.shape[-1])
    side = round(size[1] * scale)
    print(f"\nx{scale:g} of {size[1]} x {size[0]}: CPU s per output megapixel")
    print(f"{'cycle':>14}{'all':>8}{'superpixels':>13}{'ControlNet':>12}{'SARM':>8}")
    image, settings = lr, network.settings
    for each in sizes(size, (side, side)):
        pixels = each[0] * each[1] / 1e6
        repeats = _REPEATS if pixels < 0.3 else 1
        found: list[torch.Tensor] = []
        whole = least(lambda i=image, e=each, f=found: f.append(cycle(network, i, e, Sampling())), repeats)
        aligned = least(lambda i=image, e=each: network.align(i, e, depth=False), repeats)
        alone = least(lambda i=image, e=each: cycle(network, i, e, Sampling(depth=False)), repeats)
        network.settings = replace(settings, sarm=False)
        apart = least(lambda i=image, e=each: cycle(network, i, e, Sampling()), repeats)
        network.settings = settings
        saved = ((aligned, 13), (whole - alone, 12), (whole - apart, 8))
        parts = "".join(f"{one / pixels:{wide}.2f}" for one, wide in saved)
        print(f"{f'{each[1]}x{each[0]}':>14}{whole / pixels:8.2f}{parts}", flush=True)
        image = found[-1]


def tiles(network: Casr) -> None:
    """What tiles, and encoders that run twice, cost beside one tile."""
    image, size, settings = photograph((256, 256)), (1024, 1024), network.settings
    rows = [
        ("one tile", replace(settings, tile=1024)),
        ("tiles of 256", settings),
        ("tiles of 256, kept=0", replace(settings, kept=0)),
        ("tiles of 128", replace(settings, tile=128)),
    ]
    base = 0.0
    print(f"\n{size[1]} x {size[0]} from 256 x 256")
    for label, said in rows:
        network.settings = said
        spent = least(lambda: cycle(network, image, size, Sampling()), 2)
        base = base or spent
        print(f"{label:>22}{spent / (size[0] * size[1] / 1e6):8.2f} CPU s/MP{spent / base:8.2f}", flush=True)
    network.settings = settings


def large(network: Casr) -> None:
    """8K in one cycle."""
    lr = photograph((1080, 1920))
    before = peak()
    spent = least(lambda: cycle(network, lr, (4320, 7680), Sampling()), 1)
    print(f"7680 x 4320: {spent:.0f} CPU s, peak {peak():.0f} MB, of which {before:.0f} MB before the cycle")


if __name__ == "__main__":
    main()
